"""Every pod is admitted by the restricted pod security standard, checked point by point.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
}


def containers(case):
    return [container for pod in case.pods for container in pod["containers"]]


def test_no_host_namespaces_or_paths(every):
    assert not [pod for pod in every.pods if {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys()]
    assert all("hostPort" not in port for container in containers(every) for port in container.get("ports", []))


def test_only_volume_types_of_the_standard(every):
    for volume in (volume for pod in every.pods for volume in pod.get("volumes", [])):
        assert volume.keys() - {"name"} <= RESTRICTED_VOLUMES


def test_pods_run_as_a_numbered_user_other_than_root(every):
    for context in (pod["securityContext"] for pod in every.pods):
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["runAsGroup"] > 0
        assert context["fsGroup"] > 0


def test_seccomp_profile_is_the_runtimes_own(every):
    for pod in every.pods:
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_containers_have_no_privileges(every):
    for context in (container["securityContext"] for container in containers(every)):
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "procMount", "runAsUser", "runAsNonRoot", "seccompProfile"} & context.keys()


def test_model_servers_hold_no_token_of_the_api_server_unless_they_find_each_other_there(every):
    account = every.child("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    found = [pod for pod in every.pods if pod["serviceAccountName"] == account["metadata"]["name"]]
    assert found
    for pod in found:
        assert pod["automountServiceAccountToken"] is (every.role.discovery is not None)


def test_secrets_are_read_by_reference_only(every):
    for container in containers(every):
        for variable in container.get("env", []):
            if variable["name"] in ("NGC_API_KEY", "HF_TOKEN"):
                assert variable.keys() == {"name", "valueFrom"}
                assert variable["valueFrom"]["secretKeyRef"]["key"] == variable["name"]
