// Dense layers whose kernel and inputs are read once: products that skip inputs of zero, and steps of an optimizer
// in the same pass as the gradient of a kernel.
//
// The gradient of a kernel [in, out] is x^T g, of the inputs x [batch, in] and the gradient g [batch, out] of the
// result. A part of it is in registers when the optimizer uses it, so it is never written. An input of zero, such as a
// black pixel or a unit that relu holds back, takes part in no product.
//
// All arrays lie row by row.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "products.h"
#include "scratch.h"

namespace ltr {

// Chosen rows of images of bytes. A byte p stands for (p - mean) * scale.
struct ByteRows {
  int64_t batch, inputs;
  const uint8_t* images;
  const int32_t* chosen;
  float mean, scale;

  const uint8_t* row(int64_t example) const { return images + chosen[example] * inputs; }
};

// Rows of floats.
struct FloatRows {
  int64_t batch, inputs;
  const float* x;
  float mean = 0.0f, scale = 1.0f;

  const float* row(int64_t example) const { return x + example * inputs; }
};

// A kernel and the place of y [batch, outputs] = x kernel.
struct Product {
  int64_t outputs;
  const float* kernel;
  float* y;
};

// A kernel, the gradient of its layer's result, and which of its weights get a gradient.
struct KernelStep {
  int64_t outputs;
  const float* gradient;
  const uint8_t* kept;
  float* kernel;
};

// Adam with decoupled weight decay. The mean and the uncentred variance of the gradient move with the decay rates
// b1 and b2; c1 and c2 are 1 - b1 and 1 - b2, which float arithmetic would get wrong by up to 1e-5. Then the kernel
// decreases by rate * (scale * mean / (sqrt(variance) + epsilon) + decay * kernel).
struct Adam {
  float b1, c1, b2, c2, decay, rate, scale, epsilon;
  float *mean, *variance;
};

// Gradient descent: the trace becomes gradient + decay * kernel + momentum * trace, and the kernel decreases by rate
// times the trace. Without a trace, which is null, there is no momentum.
struct Momentum {
  float momentum, decay, rate;
  float* trace;
};

#define FUNCTIONS "fused.inc"
#include "each_instruction_set.inc"

// The functions for one instruction set.
struct Fused {
  void (*product_of_bytes)(const ByteRows&, const Product&);
  void (*product_of_floats)(const FloatRows&, const Product&);
  void (*adam_of_bytes)(const ByteRows&, const KernelStep&, const Adam&);
  void (*adam_of_floats)(const FloatRows&, const KernelStep&, const Adam&);
  void (*momentum_of_bytes)(const ByteRows&, const KernelStep&, const Momentum&);
  void (*momentum_of_floats)(const FloatRows&, const KernelStep&, const Momentum&);
};

#define FUSED(of)                                                                                      \
  {of::product<ByteRows>, of::product<FloatRows>, of::step<ByteRows, Adam>, of::step<FloatRows, Adam>, \
   of::step<ByteRows, Momentum>, of::step<FloatRows, Momentum>}

inline Fused fused(InstructionSet set) {
#ifdef LTR_WIDER
  if (set == InstructionSet::kAvx512) return FUSED(avx512);
  if (set == InstructionSet::kAvx2) return FUSED(avx2);
#endif
  return FUSED(portable);
}

#undef FUSED

}  // namespace ltr
