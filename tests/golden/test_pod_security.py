"""Every pod is admitted by the restricted pod security standard, checked point by point.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
}


def containers(case):
    return [container for pod in case.pods for container in pod["containers"]]


def test_no_host_namespaces_or_paths(case):
    assert not [pod for pod in case.pods if {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys()]
    assert all("hostPort" not in port for container in containers(case) for port in container["ports"])


def test_only_volume_types_of_the_standard(case):
    for volume in (volume for pod in case.pods for volume in pod.get("volumes", [])):
        assert volume.keys() - {"name"} <= RESTRICTED_VOLUMES


def test_pods_run_as_a_numbered_user_other_than_root(case):
    for context in (pod["securityContext"] for pod in case.pods):
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["runAsGroup"] > 0
        assert context["fsGroup"] > 0


def test_seccomp_profile_is_the_runtimes_own(case):
    for pod in case.pods:
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_containers_have_no_privileges(case):
    for context in (container["securityContext"] for container in containers(case)):
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "procMount", "runAsUser", "runAsNonRoot", "seccompProfile"} & context.keys()


def test_model_servers_hold_no_token_of_the_api_server(case):
    assert case.pod["automountServiceAccountToken"] is False
    assert case.child("ServiceAccount")["automountServiceAccountToken"] is False
    assert case.pod["serviceAccountName"] == case.child("ServiceAccount")["metadata"]["name"]


def test_secrets_are_read_by_reference_only(case):
    for variable in case.container["env"]:
        if variable["name"] in ("NGC_API_KEY", "HF_TOKEN"):
            assert variable.keys() == {"name", "valueFrom"}
            assert variable["valueFrom"]["secretKeyRef"]["key"] == variable["name"]
