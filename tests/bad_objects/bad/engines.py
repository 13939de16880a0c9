"""Fields that an engine does not have, or cannot do without."""

from tests.bad_objects import Bad

from .specs import METRICS, from_source, of_engine

ENGINES = (
    Bad(
        "a GGUF file for vLLM",
        from_source(huggingFace={"repo": "a/b", "file": "c.gguf"}),
        path="spec.model.source.huggingFace.file",
        says="only runtime.engine llamacpp",
    ),
    Bad(
        "Hugging Face for Triton",
        of_engine("triton", **from_source(huggingFace={"repo": "a/b"}, image=None)),
        path="spec.model.source.huggingFace",
        says="only runtime.engine vllm, llmd, sglang, trtllm, nim, llamacpp or dynamo",
    ),
    Bad(
        "adapters for TensorRT-LLM",
        of_engine("trtllm", model={"adapters": [{"name": "sql", "huggingFace": {"repo": "a/b"}}]}),
        path="spec.model.adapters",
        says="only runtime.engine vllm, llmd, sglang or nim",
    ),
    Bad(
        "an adapter from nowhere",
        {"model": {"adapters": [{"name": "sql"}]}},
        path="spec.model.adapters[0]",
        says="exactly one of huggingFace or persistentVolumeClaim",
    ),
    Bad("a command for vLLM", {"runtime": {"command": ["bash"]}}, path="spec.runtime.command", says="only"),
    Bad("probes for vLLM", {"runtime": {"probes": {}}}, path="spec.runtime.probes", says="only runtime.engine custom"),
    Bad(
        "a context length for Triton",
        of_engine("triton", runtime={"contextLength": 8192}),
        path="spec.runtime.contextLength",
        says="only runtime.engine vllm, llmd, sglang, trtllm, nim, llamacpp or dynamo",
    ),
    Bad(
        "sequences for a NIM",
        of_engine("nim", runtime={"maxSequences": 64}),
        path="spec.runtime.maxSequences",
        says="only runtime.engine vllm, llmd, sglang, trtllm, llamacpp or dynamo",
    ),
    Bad(
        "a batch for llama.cpp",
        of_engine("llamacpp", runtime={"maxBatchedTokens": 2048}),
        path="spec.runtime.maxBatchedTokens",
        says="only runtime.engine vllm, llmd, sglang, trtllm or dynamo",
    ),
    Bad(
        "a KV cache format for TensorRT-LLM",
        of_engine("trtllm", runtime={"kvCachePrecision": "fp8"}),
        path="spec.runtime.kvCachePrecision",
        says="only runtime.engine vllm, llmd or sglang",
    ),
    Bad(
        "an endpoint picker for vLLM alone",
        {"runtime": {"endpointPicker": {"image": "picker:1"}}},
        path="spec.runtime.endpointPicker",
        says="only runtime.engine llmd",
    ),
    Bad(
        "an endpoint picker of another pool",
        of_engine("llmd", runtime={"endpointPicker": {"args": ["-v=3", "--pool_name=other"]}}),
        path="spec.runtime.endpointPicker.args",
        says="must not contain --pool-name",
    ),
    Bad(
        "a port that llm-d workers share",
        of_engine("llmd", runtime={"args": ["--port=1"]}),
        path="spec.runtime.args",
        says="must not contain --model",
    ),
    Bad(
        "edges of histograms for TensorRT-LLM",
        of_engine("trtllm", runtime={"latencyBuckets": "Objectives"}),
        path="spec.runtime.latencyBuckets",
        says="only runtime.engine vllm, llmd or sglang",
    ),
    Bad(
        "edges of histograms as a list",
        {"runtime": {"latencyBuckets": [1, 2]}},
        path="spec.runtime.latencyBuckets",
        says="must be 'Default' or 'Objectives'",
        server_says="must be of type string",
    ),
    Bad(
        "a memory fraction without a sign",
        {"runtime": {"memoryFraction": "0.9"}},
        path="spec.runtime.memoryFraction",
        says="is not a percentage",
        server_says="should match",
    ),
    Bad(
        "a memory fraction of nearly nothing",
        {"runtime": {"memoryFraction": "5%"}},
        path="spec.runtime.memoryFraction",
        says="must be from 10% to 99%",
    ),
    Bad(
        "a memory fraction for llama.cpp",
        of_engine("llamacpp", runtime={"memoryFraction": "90%"}),
        path="spec.runtime.memoryFraction",
        says="only runtime.engine",
    ),
    Bad(
        "parallelism for llama.cpp",
        of_engine("llamacpp", accelerator={"count": 2, "parallelism": {"pipeline": 2}}),
        path="spec.accelerator.parallelism",
        says="only runtime.engine",
    ),
    Bad(
        "data parallelism for TensorRT-LLM",
        of_engine("trtllm", accelerator={"count": 2, "parallelism": {"data": 2}}),
        path="spec.accelerator.parallelism.data",
        says="only runtime.engine vllm, llmd or sglang",
    ),
    Bad(
        "three groups on four GPUs",
        {"accelerator": {"count": 4, "parallelism": {"data": 3}}},
        path="spec.accelerator.count",
        says="count x nodes must be a multiple of parallelism.data x parallelism.pipeline",
    ),
    Bad(
        "a way in by nothing",
        {"expose": {"host": "chat.example.com"}},
        path="spec.expose",
        says="exactly one of gateway or ingress",
    ),
    Bad(
        "a host with a path",
        {"expose": {"host": "example.com/chat", "ingress": {}}},
        path="spec.expose.host",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "an adapter of the hub for a NIM",
        of_engine("nim", model={"adapters": [{"name": "sql", "huggingFace": {"repo": "a/b"}}]}),
        path="spec.model.adapters",
        says="from a persistentVolumeClaim only",
    ),
    Bad(
        "a health port for vLLM",
        {"runtime": {"healthPort": 8081}},
        path="spec.runtime.healthPort",
        says="only runtime.engine nim or custom",
    ),
    Bad(
        "health on the port of the API",
        of_engine("nim", runtime={"healthPort": 8000}),
        path="spec.runtime.healthPort",
        says="must not be runtime.port",
    ),
    Bad(
        "a password in a proxy's address",
        {"runtime": {"egress": {"httpsProxy": "http://user:secret@proxy:3128"}}},
        path="spec.runtime.egress.httpsProxy",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "GPUs by two ways",
        {"accelerator": {"resourceName": "example.com/gpu", "resourceClaimTemplate": "gpus"}},
        path="spec.accelerator.resourceClaimTemplate",
        says="not both",
    ),
    Bad(
        "Triton without a model repository",
        {"model": {"source": None}, "runtime": {"engine": "triton"}},
        path="spec.model",
        says="needs model.source",
    ),
    Bad(
        "Triton on its own metrics port",
        of_engine("triton", runtime={"port": 8002}),
        path="spec.runtime.port",
        says="where Triton has its metrics",
    ),
    Bad(
        "a custom engine without an image",
        {"runtime": {"engine": "custom", "metrics": METRICS}},
        path="spec.runtime",
        says="needs runtime.image",
    ),
    Bad(
        "a custom engine without metrics",
        {"runtime": {"engine": "custom", "image": "example.com/server"}},
        path="spec.runtime",
        says="needs runtime.metrics",
    ),
    Bad(
        "a query for a metric",
        of_engine("custom", runtime={"metrics": {"running": "sum(up) or vector(1)"}}),
        path="spec.runtime.metrics.running",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "a query in a label of a metric",
        of_engine("custom", runtime={"metrics": {"waiting": 'x{a=~".*"}'}}),
        path="spec.runtime.metrics.waiting",
        says="must match pattern",
        server_says="should match",
    ),
    Bad(
        "int4 with a NIM",
        of_engine("nim", model={"precision": "int4"}),
        path="spec.model.precision",
        says="must be auto, bf16, fp8, nvfp4 or mxfp4",
    ),
    Bad(
        "int4 with SGLang",
        of_engine("sglang", model={"precision": "int4"}),
        path="spec.model.precision",
        says="must be auto, bf16, fp8, nvfp4 or mxfp4",
    ),
    *(
        Bad(
            f"a precision with {engine}",
            of_engine(engine, model={"precision": "fp8"}),
            path="spec.model.precision",
            says=f"with runtime.engine {engine} must be auto",
        )
        for engine in ("trtllm", "triton", "llamacpp", "dynamo", "custom")
    ),
    Bad(
        "two tensor-parallel sizes with SGLang",
        of_engine("sglang", runtime={"args": ["--tp=2"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "two tensor-parallel sizes with TensorRT-LLM",
        of_engine("trtllm", runtime={"args": ["--tp_size", "2"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "two model repositories",
        of_engine("triton", runtime={"args": ["--model-repository=/other"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "two models with llama.cpp",
        of_engine("llamacpp", runtime={"args": ["-m", "/other.gguf"]}),
        path="spec.runtime.args",
        says="follow",
    ),
    Bad(
        "a vLLM flag of the operator with a NIM",
        of_engine("nim", runtime={"args": ["--tensor-parallel-size=2"]}),
        path="spec.runtime.args",
        says="follow",
    ),
)
