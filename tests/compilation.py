"""How tests compile: three times as fast as a user, to slower programs."""

from importlib import metadata
from types import MappingProxyType

_EMITTERS = "--xla_cpu_use_fusion_emitters=false " if metadata.version("jaxlib").startswith("0.10.") else ""
"""Flag of XLA that later ones do not know, and abort at."""

QUICK = MappingProxyType(
    {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
        "XLA_FLAGS": f"{_EMITTERS}--xla_cpu_parallel_codegen_split_count=1",
    }
)
"""Environment of the tests' own process, and of those it starts that need not compile as a user's do."""
