"""How tests compile: three times as fast as a user, to slower programs."""

from types import MappingProxyType

QUICK = MappingProxyType(
    {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
        "XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
    }
)
"""Environment of the tests' own process, and of those it starts that need not compile as a user's do."""
