// Batch normalisation in training (Ioffe & Szegedy, 2015), and its gradients.
//
// Images are [pixels, channels], the pixels of all images row by row. Each channel is normalised by its mean and
// variance over the batch, then scaled and shifted. A residual and relu may follow in the same pass.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "products.h"
#include "scratch.h"

namespace ltr {

// The channels of a batch, with their scale and shift.
struct Channels {
  int64_t pixels, channels;
  const float *scale, *shift;
  float epsilon;

  int64_t size() const { return pixels * channels; }
  double factor(int64_t channel, double variance) const { return scale[channel] / std::sqrt(variance + epsilon); }
};

// y = (x - mean) * scale / sqrt(variance + epsilon) + shift, plus the residual unless it is null, and relu. Mean and
// variance, of the batch, are results too.
struct BatchNorm {
  Channels of;
  const float *x, *residual;
  bool relu;
  float *y, *mean, *variance;
};

// What follows the normalisation.
enum class After { kNothing, kRelu, kResidualAndRelu };

// The gradients of x, scale and shift, from that of y; after a residual and relu also of the residual. Only they
// need y, because otherwise its sign follows from x.
struct BatchNormGradient {
  Channels of;
  After after;
  const float *gradient, *x, *y, *mean, *variance;
  float *of_x, *of_scale, *of_shift, *of_residual;
};

#define FUNCTIONS "batch_norm.inc"
#include "each_instruction_set.inc"

// The functions for one instruction set.
struct BatchNorms {
  void (*normalise)(const BatchNorm&);
  void (*gradient)(const BatchNormGradient&);
};

inline BatchNorms batch_norms(InstructionSet set) {
#ifdef LTR_WIDER
  if (set == InstructionSet::kAvx512) return {avx512::normalise, avx512::gradient};
  if (set == InstructionSet::kAvx2) return {avx2::normalise, avx2::gradient};
#endif
  return {portable::normalise, portable::gradient};
}

}  // namespace ltr
