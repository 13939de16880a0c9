"""Pure: a service and its engine in, Kubernetes objects out."""

from .children import OF_TEMPLATE, OPTIONAL, render
from .naming import url
from .resolved import resolved

__all__ = ["OF_TEMPLATE", "OPTIONAL", "render", "resolved", "url"]
