"""The API group `aifactory.dev`: pydantic models that are the single source of the CRDs."""

GROUP = "aifactory.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
