"""Every pod is admitted by the restricted pod security standard, checked point by point.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
}


def test_no_host_namespaces_or_paths(case):
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & case.pod.keys()
    assert all("hostPort" not in port for port in case.container["ports"])


def test_only_volume_types_of_the_standard(case):
    for volume in case.pod["volumes"]:
        assert volume.keys() - {"name"} <= RESTRICTED_VOLUMES


def test_pods_run_as_a_numbered_user_other_than_root(case):
    context = case.pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["runAsGroup"] > 0
    assert context["fsGroup"] > 0


def test_seccomp_profile_is_the_runtimes_own(case):
    assert case.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_containers_have_no_privileges(case):
    context = case.container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert not {"privileged", "procMount", "runAsUser", "runAsNonRoot", "seccompProfile"} & context.keys()


def test_pods_hold_no_token_of_the_api_server(case):
    assert case.pod["automountServiceAccountToken"] is False
    assert case.child("ServiceAccount")["automountServiceAccountToken"] is False
    assert case.pod["serviceAccountName"] == case.child("ServiceAccount")["metadata"]["name"]


def test_secrets_are_read_by_reference_only(case):
    for variable in case.container["env"]:
        if variable["name"] in ("NGC_API_KEY", "HF_TOKEN"):
            assert variable.keys() == {"name", "valueFrom"}
            assert variable["valueFrom"]["secretKeyRef"]["key"] == variable["name"]
