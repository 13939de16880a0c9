// The CustomResourceDefinitions that tests install come with these modules; nothing of them is built.
module aifactory/tests/crds

go 1.26.7

require (
	github.com/prometheus-operator/prometheus-operator v0.85.0
	sigs.k8s.io/gateway-api v1.6.3
	sigs.k8s.io/gateway-api-inference-extension v1.5.0
	sigs.k8s.io/lws v0.9.0
)
