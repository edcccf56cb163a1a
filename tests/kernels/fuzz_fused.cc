// Fused dense layers of every instruction set that this processor has, against plain loops in double precision, on
// random shapes: compiled with the sanitizers (see test_sanitized.py).

#include "../../ltr/kernels/fused.h"

#include "fuzz.h"

namespace {

// A layer; every array is as long as it must be and no longer. Some inputs are zero, and all are in some layers.
struct Case {
  int64_t batch = drawn(1, 70), inputs = drawn(1, 150), outputs = drawn(1, 200), count = drawn(1, 30);
  std::vector<uint8_t> images = std::vector<uint8_t>(count * inputs), kept = std::vector<uint8_t>(inputs * outputs);
  std::vector<int32_t> chosen = std::vector<int32_t>(batch);
  std::vector<float> x = floats(batch * inputs), gradient = floats(batch * outputs);
  std::vector<float> kernel = floats(inputs * outputs), first = floats(inputs * outputs);
  std::vector<float> second = floats(inputs * outputs);
  ltr::ByteRows bytes{batch, inputs, images.data(), chosen.data(), 33.3f, 1 / 78.6f};

  Case() {
    const int64_t share = drawn(0, 10);
    for (uint8_t& byte : images) byte = static_cast<uint8_t>(drawn(1, 10) <= share ? drawn(1, 255) : 0);
    for (float& value : x) value = drawn(1, 10) <= share ? value : 0.0f;
    for (int32_t& image : chosen) image = static_cast<int32_t>(drawn(0, count - 1));
    for (uint8_t& is_kept : kept) is_kept = static_cast<uint8_t>(drawn(0, 1));
    for (float& value : second) value *= value;
  }

  double input(bool of_bytes, int64_t example, int64_t input) const {
    if (!of_bytes) return x[example * inputs + input];
    return (images[chosen[example] * inputs + input] - double{bytes.mean}) * bytes.scale;
  }

  // The masked gradient of the kernel.
  std::vector<double> factored(bool of_bytes) const {
    std::vector<double> found(kernel.size());
    for (int64_t at = 0; at < inputs * outputs; ++at) {
      for (int64_t example = 0; kept[at] && example < batch; ++example) {
        found[at] += input(of_bytes, example, at / outputs) * gradient[example * outputs + at % outputs];
      }
    }
    return found;
  }
};

void check_product(const Case& of, const ltr::Fused& fused, bool of_bytes) {
  std::vector<float> y(of.batch * of.outputs);
  std::vector<double> expected(y.size());
  const ltr::Product product{of.outputs, of.kernel.data(), y.data()};
  if (of_bytes) {
    fused.product_of_bytes(of.bytes, product);
  } else {
    fused.product_of_floats({of.batch, of.inputs, of.x.data()}, product);
  }
  for (size_t at = 0; at < y.size(); ++at) {
    for (int64_t input = 0; input < of.inputs; ++input) {
      expected[at] += of.input(of_bytes, at / of.outputs, input) * of.kernel[input * of.outputs + at % of.outputs];
    }
  }
  require(close(y, expected), "products differ", ltr::name(set));
}

void check_adam(const Case& of, const ltr::Fused& fused, bool of_bytes) {
  std::vector<float> kernel = of.kernel, mean = of.first, variance = of.second;
  const ltr::KernelStep step{of.outputs, of.gradient.data(), of.kept.data(), kernel.data()};
  const ltr::Adam by{0.9f, 0.1f, 0.99f, 0.01f, 0.01f, 0.1f, 0.7f, 1e-3f, mean.data(), variance.data()};
  if (of_bytes) {
    fused.adam_of_bytes(of.bytes, step, by);
  } else {
    fused.adam_of_floats({of.batch, of.inputs, of.x.data()}, step, by);
  }
  std::vector<double> gradient = of.factored(of_bytes), right_kernel(kernel.size()), right_mean(kernel.size());
  std::vector<double> right_variance(kernel.size());
  for (size_t at = 0; at < kernel.size(); ++at) {
    right_mean[at] = 0.9 * of.first[at] + 0.1 * gradient[at];
    right_variance[at] = 0.99 * of.second[at] + 0.01 * gradient[at] * gradient[at];
    const double direction = 0.7 * right_mean[at] / (std::sqrt(right_variance[at]) + 1e-3) + 0.01 * of.kernel[at];
    right_kernel[at] = of.kernel[at] - 0.1 * direction;
  }
  require(close(mean, right_mean), "means differ", ltr::name(set));
  require(close(variance, right_variance), "variances differ", ltr::name(set));
  require(close(kernel, right_kernel), "kernels after Adam differ", ltr::name(set));
}

void check_momentum(const Case& of, const ltr::Fused& fused, bool of_bytes, bool has_trace) {
  std::vector<float> kernel = of.kernel, trace = of.first;
  const ltr::KernelStep step{of.outputs, of.gradient.data(), of.kept.data(), kernel.data()};
  const ltr::Momentum by{0.9f, 0.01f, 0.1f, has_trace ? trace.data() : nullptr};
  if (of_bytes) {
    fused.momentum_of_bytes(of.bytes, step, by);
  } else {
    fused.momentum_of_floats({of.batch, of.inputs, of.x.data()}, step, by);
  }
  std::vector<double> right_trace = of.factored(of_bytes), right_kernel(kernel.size());
  for (size_t at = 0; at < kernel.size(); ++at) {
    right_trace[at] += 0.01 * of.kernel[at] + (has_trace ? 0.9 * of.first[at] : 0.0);
    right_kernel[at] = of.kernel[at] - 0.1 * right_trace[at];
  }
  require(!has_trace || close(trace, right_trace), "traces differ", ltr::name(set));
  require(close(kernel, right_kernel), "kernels after momentum differ", ltr::name(set));
}

}  // namespace

int main() {
  for (const ltr::InstructionSet current : ltr::instruction_sets()) {
    set = current;
    const ltr::Fused fused = ltr::fused(set);
    for (int turn = 0; turn < 100; ++turn) {
      const Case of;
      for (const bool of_bytes : {false, true}) {
        check_product(of, fused, of_bytes);
        check_adam(of, fused, of_bytes);
        for (const bool has_trace : {false, true}) check_momentum(of, fused, of_bytes, has_trace);
      }
    }
    std::printf("%s\n", ltr::name(set));
  }
}
