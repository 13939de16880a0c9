"""Objects that must be accepted: a check that refuses one of them is too strict."""

from . import Good

GOOD = (
    Good("the smallest one"),
    Good("a name of 52 characters", name="a" * 52),
    Good("a fixed number of replicas", {"replicas": 3}),
    Good("no replicas", {"replicas": 0}),
    Good("scaling with all defaults", {"scaling": {"maxReplicas": 8}}),
    Good(
        "scaling with every knob",
        {
            "scaling": {
                "minReplicas": 2,
                "maxReplicas": 64,
                "mode": "Recommend",
                "behavior": {
                    "averagingWindow": "10s",
                    "waitingPerReplica": 3,
                    "kvCacheUsage": "90%",
                    "gpuShortageAfter": "30s",
                    "stallAfter": "20s",
                    "scaleUp": {"threshold": "60%", "maxPercent": 50, "maxReplicas": 2, "period": "15s"},
                    "scaleDown": {"threshold": "35.5%", "stabilizationWindow": "0s", "maxReplicas": 2, "period": "5s"},
                },
                "fallback": {"replicas": 8, "after": "5m"},
                "schedules": [
                    {
                        "name": "day",
                        "days": ["Mon", "Tue", "Wed", "Thu", "Fri"],
                        "start": "08:00",
                        "end": "20:00",
                        "timeZone": "Europe/Berlin",
                        "minReplicas": 4,
                    },
                    {"name": "night", "start": "22:00", "end": "06:00", "minReplicas": 1, "maxReplicas": 4},
                ],
                "budget": {"gpus": 64, "costPerHour": "140", "gpuCostPerHour": "2.50"},
            }
        },
    ),
    Good(
        "a NIM with its secrets and profile",
        {
            "model": {"source": {"ngc": {"authSecret": "ngc-api-key"}}, "precision": "fp8"},
            "runtime": {
                "engine": "nim",
                "image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.4",
                "nimProfile": "tensorrt_llm-h100-fp8-tp1-latency",
                "imagePullSecrets": ["ngc-registry"],
                "startupTimeout": "1h30m",
            },
        },
    ),
    Good(
        "flags whose fields are not set",
        {
            "model": {"source": {"huggingFace": {"repo": "a/b"}}},
            "runtime": {
                "latencyBuckets": "Default",
                "kvCachePrecision": "auto",
                "contextLength": 4096,
                "args": [
                    "--max-num-seqs=8",
                    "--custom-histogram-buckets={}",
                    "--kv-cache-dtype=fp8",
                    "--revision=main",
                ],
            },
        },
    ),
    Good(
        "types of activations beside a number format of weights",
        {"model": {"precision": "fp8"}, "runtime": {"args": ["--dtype=bfloat16"]}},
    ),
    Good(
        "a NIM that chooses among its profiles of one precision",
        {"model": {"precision": "nvfp4"}, "runtime": {"engine": "nim"}, "accelerator": {"count": 2}},
    ),
    Good(
        "a gated Hugging Face model on four named GPUs",
        {
            "model": {"source": {"huggingFace": {"repo": "meta-llama/Llama-3.1-70B", "tokenSecret": "hf-token"}}},
            "accelerator": {"product": "NVIDIA-H100-80GB-HBM3", "count": 4},
        },
    ),
    Good(
        "weights on a claim", {"model": {"source": {"persistentVolumeClaim": {"name": "weights", "path": "llama/8b"}}}}
    ),
    Good("weights in the image", {"model": {"source": {"image": {"path": "/models/llama"}}}}),
    Good("a slice of a GPU", {"accelerator": {"resourceName": "nvidia.com/mig-1g.10gb"}}),
    Good(
        "every objective",
        {
            "slo": {
                "workload": "realtime",
                "objectives": {
                    "timeToFirstToken": {"percentile": 99, "target": "250ms"},
                    "interTokenLatency": {"target": "25ms"},
                    "endToEndLatency": {"percentile": 50, "target": "1h"},
                    "throughput": {"tokensPerSecond": 5000},
                },
                "attainment": "99.999%",
            }
        },
    ),
    Good("requests that may wait for a day", {"slo": {"workload": "offline", "completeWithin": "24h"}}),
    Good(
        "requests that may wait, beside no objectives",
        {"slo": {"workload": "offline", "completeWithin": "1h", "objectives": {}}},
    ),
    Good(
        "extra arguments that look a little like those of the operator",
        {"runtime": {"args": ["--max-model-len", "8192", "--model-impl=auto", "--port-range=1", '--config={"a": 1}']}},
    ),
    Good(
        "variables of every kind",
        {
            "runtime": {
                "env": [
                    {"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"},
                    {"name": "EMPTY"},
                    {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
                    {"name": "FROM_CONFIG", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k.txt"}}},
                ]
            }
        },
    ),
    Good(
        "a pod with everything",
        {
            "podTemplate": {
                "labels": {"team": "search", "example.com/cost-center": "42"},
                "annotations": {"example.com/note": "any text: at all"},
                "nodeSelector": {"topology.kubernetes.io/zone": "a"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "affinity": {
                    "podAntiAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
                        ]
                    }
                },
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
                ],
                "resources": {"cpu": 8, "memory": "64Gi", "ephemeralStorage": "1.5Ti"},
                "sharedMemory": "16Gi",
                "volumes": [
                    {"name": "cache", "mountPath": "/cache", "persistentVolumeClaim": {"claimName": "cache"}},
                    {
                        "name": "templates",
                        "mountPath": "/etc/chat",
                        "readOnly": True,
                        "configMap": {"name": "templates"},
                    },
                    {"name": "scratch", "mountPath": "/scratch", "emptyDir": {"sizeLimit": "20Gi"}},
                ],
                "securityContext": {"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 2000},
                "priorityClassName": "production",
                "runtimeClassName": "nvidia",
                "schedulerName": "kai-scheduler",
            }
        },
    ),
    Good(
        "SGLang with adapters and experts on eight GPUs",
        {
            "model": {
                "precision": "nvfp4",
                "adapters": [
                    {"name": "sql", "huggingFace": {"repo": "acme/sql-lora"}},
                    {"name": "law", "persistentVolumeClaim": {"name": "adapters", "path": "law"}},
                ],
            },
            "runtime": {
                "engine": "sglang",
                "kvCachePrecision": "fp8",
                "memoryFraction": "87.5%",
                "latencyBuckets": "Objectives",
            },
            "accelerator": {"count": 8, "parallelism": {"data": 2, "pipeline": 2, "expert": True}},
        },
    ),
    Good("a way in by a Gateway", {"expose": {"host": "chat.example.com", "gateway": {"name": "public"}}}),
    Good(
        "a way in by an Ingress",
        {
            "expose": {
                "host": "*.example.com",
                "ingress": {
                    "className": "nginx",
                    "tlsSecret": "example-com",
                    "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"},
                },
            }
        },
    ),
    Good("GPUs by dynamic resource allocation", {"accelerator": {"resourceClaimTemplate": "two-gpus", "count": 2}}),
    Good("TensorRT-LLM", {"runtime": {"engine": "trtllm", "maxSequences": 256, "maxBatchedTokens": 8192}}),
    Good("Triton", {"model": {"source": {"image": {"path": "/models"}}}, "runtime": {"engine": "triton"}}),
    Good(
        "llm-d",
        {
            "runtime": {
                "engine": "llmd",
                "endpointPicker": {
                    "args": ["--secure-serving=false", "--config-text", "kind: EndpointPickerConfig"],
                    "resources": {"cpu": "8", "memory": "8Gi"},
                },
            },
            "expose": {"host": "chat.example.com", "gateway": {"name": "public"}},
        },
    ),
    Good("llama.cpp", {"runtime": {"engine": "llamacpp", "contextLength": 8192, "maxSequences": 8}}),
    Good(
        "an image of one's own",
        {
            "runtime": {
                "engine": "custom",
                "image": "example.com/server",
                "command": ["serve"],
                "probes": {"startup": "/ready", "liveness": "/live"},
                "metrics": {"running": "busy", "waiting": 'requests:state{state="waiting"}'},
            }
        },
    ),
    Good(
        "a rack of NVLink",
        {
            "accelerator": {
                "count": 4,
                "nodes": 18,
                "topology": {"key": "nvidia.com/gpu.clique", "spread": True},
                "computeDomain": {"resourceClaimTemplate": "nvl72-channel"},
            }
        },
        name="a" * 38,
    ),
    Good("data parallelism across nodes", {"accelerator": {"nodes": 2, "parallelism": {"data": 2}}}),
    Good(
        "an image of one's own on two nodes",
        {
            "runtime": {
                "engine": "custom",
                "image": "example.com/server",
                "args": ["--leader=$(AIFACTORY_LEADER_ADDRESS)"],
                "metrics": {"running": "busy", "waiting": "queued"},
            },
            "accelerator": {"nodes": 2},
        },
    ),
    Good("a rollout in place", {"rollout": {"maxSurge": 0, "maxUnavailable": "25%"}}),
    Good("a canary as by default", {"rollout": {"canary": {}}}),
    Good(
        "a canary in five careful steps",
        {
            "rollout": {
                "maxSurge": "25%",
                "canary": {
                    "steps": ["1%", "5%", "5%", "20%", "99%"],
                    "stepDuration": "1h30m",
                    "tolerance": "0.5%",
                    "minRequests": 1000,
                },
            }
        },
    ),
    Good("paused, with no time to drain", {"mode": "Paused", "drain": {"timeout": "0s"}}),
    Good("Dynamo", {"runtime": {"engine": "dynamo"}}),
    Good("Dynamo split with all defaults", {"runtime": {"engine": "dynamo"}, "topology": {"disaggregated": {}}}),
    Good(
        "Dynamo split with every knob",
        {
            "runtime": {
                "engine": "dynamo",
                "dynamo": {"backend": "sglang", "router": "kv", "frontendReplicas": 3},
                "contextLength": 8192,
                "maxSequences": 64,
                "maxBatchedTokens": 4096,
                "memoryFraction": "85%",
                "args": ["--log-level", "info"],
            },
            "topology": {
                "disaggregated": {
                    "prefill": {"accelerator": {"count": 2}, "args": ["--max-prefill-tokens", "16384"], "replicas": 2},
                    "decode": {"scaling": {"minReplicas": 2, "maxReplicas": 8}},
                }
            },
        },
    ),
    Good("a service that sleeps while nobody asks", {"scaling": {"minReplicas": 0, "maxReplicas": 2}}),
    Good(
        "a service that sleeps, with every knob",
        {
            "scaling": {
                "minReplicas": 0,
                "maxReplicas": 2,
                "scaleToZero": {"after": "30m", "maxHeldRequests": 50, "maxHoldTime": "15m"},
            }
        },
    ),
    Good("weights of a cache", {"model": {"source": {"modelCache": {"name": "llama", "path": "gguf/llama.gguf"}}}}),
    Good("the smallest cache", name="weights", kind="ModelCache"),
    Good(
        "a cache with every field of a Hugging Face source",
        {
            "source": {
                "huggingFace": {
                    "revision": "v1.0",
                    "tokenSecret": "hf-token",
                    "include": ["*.safetensors", "*.json"],
                    "exclude": ["original/*"],
                }
            },
            "endpoint": "http://mirror.example.com:8080/hub",
            "storage": {"size": "1.5Ti", "storageClassName": "fast", "accessMode": "ReadWriteOnce"},
            "download": {
                "image": "registry.example.com/aifactory/operator:1.0",
                "imagePullSecrets": ["registry"],
                "connections": 8,
                "egress": {"httpsProxy": "http://proxy:3128", "caBundle": {"configMap": "ca"}},
                "resources": {"cpu": "2", "memory": "2Gi"},
                "nodeSelector": {"kubernetes.io/arch": "amd64"},
                "tolerations": [{"key": "storage", "operator": "Exists"}],
                "runAsUser": 1000,
            },
        },
        name="everything",
        kind="ModelCache",
    ),
    Good(
        "a cache of a folder in S3",
        {
            "source": {
                "huggingFace": None,
                "s3": {"bucket": "models", "prefix": "llama/3.1", "region": "eu-west-1", "credentialsSecret": "s3"},
            }
        },
        name="bucket",
        kind="ModelCache",
    ),
    Good(
        "a cache of an OCI artifact",
        {
            "source": {
                "huggingFace": None,
                "oci": {
                    "reference": f"registry.example.com:5000/models/llama:v1@sha256:{'0' * 64}",
                    "pullSecret": "registry",
                },
            }
        },
        name="artifact",
        kind="ModelCache",
    ),
    Good(
        "a cache of an NGC model",
        {"source": {"huggingFace": None, "ngc": {"model": "nvidia/nemo/llama:1.0", "authSecret": "ngc"}}},
        name="ngc",
        kind="ModelCache",
    ),
    Good("an AIFactory with a mirror", name="default", kind="AIFactory"),
    Good(
        "an AIFactory with several mirrors",
        {
            "mirrors": {
                "s3": "http://minio.storage:9000",
                "oci": "https://registry.example.com",
                "ngc": "https://mirror.example.com:8443/ngc",
            }
        },
        name="default",
        kind="AIFactory",
    ),
    Good(
        "an AIFactory with prices and powers of GPUs",
        {
            "mirrors": None,
            "accelerators": [
                {"product": "NVIDIA-H100-80GB-HBM3", "pricePerGPUHour": "2.50", "wattsPerGPU": 700},
                {"product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", "pricePerGPUHour": "0.36"},
                {"product": "NVIDIA-L4", "wattsPerGPU": 72},
            ],
        },
        name="default",
        kind="AIFactory",
    ),
    Good("an AIFactory without mirrors", {"mirrors": None}, name="default", kind="AIFactory"),
)
