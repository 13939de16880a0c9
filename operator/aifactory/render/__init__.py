"""Pure: a service and its engine in, Kubernetes objects out."""

from .children import OPTIONAL, render
from .naming import url
from .resolved import resolved

__all__ = ["OPTIONAL", "render", "resolved", "url"]
