// The vector instructions that the kernels are compiled for, and those that this processor has.

#pragma once

#include <vector>

// Clang has no counterpart to `#pragma GCC target`.
#if defined(__x86_64__) && !defined(__clang__)
#define LTR_WIDER
#include <immintrin.h>
#endif

namespace ltr {

enum class InstructionSet { kPortable, kAvx2, kAvx512 };

inline const char* name(InstructionSet of) {
  return of == InstructionSet::kAvx512 ? "AVX-512" : of == InstructionSet::kAvx2 ? "AVX2" : "portable";
}

// Those that this processor runs, the widest vectors first.
inline std::vector<InstructionSet> instruction_sets() {
  std::vector<InstructionSet> found;
#ifdef LTR_WIDER
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
    found.push_back(InstructionSet::kAvx512);
  }
  if (avx2) found.push_back(InstructionSet::kAvx2);
#endif
  found.push_back(InstructionSet::kPortable);
  return found;
}

}  // namespace ltr
