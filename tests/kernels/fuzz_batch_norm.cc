// Batch normalisation of every instruction set that this processor has, against plain loops in double precision, on
// random shapes: compiled with the sanitizers (see test_sanitized.py).

#include "../../ltr/kernels/batch_norm.h"

#include "fuzz.h"

namespace {

using ltr::After;

// A layer; every array is as long as it must be and no longer.
struct Case {
  int64_t pixels = drawn(1, 300), channels = drawn(1, 150), size = pixels * channels;
  std::vector<float> x = floats(size), residual = floats(size), gradient = floats(size);
  std::vector<float> scale = floats(channels), shift = floats(channels);
  std::vector<double> mean = std::vector<double>(channels), variance = std::vector<double>(channels);
  ltr::Channels of{pixels, channels, scale.data(), shift.data(), 1e-2f};

  Case() {
    for (int64_t at = 0; at < size; ++at) mean[at % channels] += double{x[at]} / pixels;
    for (int64_t at = 0; at < size; ++at) variance[at % channels] += centred(at) * centred(at) / pixels;
  }

  double centred(int64_t at) const { return x[at] - mean[at % channels]; }
  double deviation(int64_t channel) const { return std::sqrt(variance[channel] + of.epsilon); }
  double normalised(int64_t at) const { return centred(at) / deviation(at % channels); }
};

std::vector<float> narrowed(const std::vector<double>& values) { return {values.begin(), values.end()}; }

void check_forward(const Case& layer, const ltr::BatchNorms& norms, bool has_residual, bool relu) {
  std::vector<double> expected(layer.size);
  for (int64_t at = 0; at < layer.size; ++at) {
    const int64_t channel = at % layer.channels;
    expected[at] = layer.normalised(at) * layer.scale[channel] + layer.shift[channel];
    if (has_residual) expected[at] += layer.residual[at];
    if (relu) expected[at] = std::max(expected[at], 0.0);
  }
  std::vector<float> y(layer.size), mean(layer.channels), variance(layer.channels);
  norms.normalise({layer.of, layer.x.data(), has_residual ? layer.residual.data() : nullptr, relu, y.data(),
                   mean.data(), variance.data()});
  require(close(y, expected), "normalised batches differ", ltr::name(set));
  require(close(mean, layer.mean), "means differ", ltr::name(set));
  require(close(variance, layer.variance), "variances differ", ltr::name(set));
}

void check_gradients(const Case& layer, const ltr::BatchNorms& norms, After after) {
  const std::vector<float> mean = narrowed(layer.mean), variance = narrowed(layer.variance), &y = layer.residual;
  std::vector<double> through(layer.size), right_x(layer.size);
  std::vector<double> right_scale(layer.channels), right_shift(layer.channels);
  for (int64_t at = 0; at < layer.size; ++at) {
    const int64_t channel = at % layer.channels;
    const float factor = static_cast<float>(layer.of.factor(channel, variance[channel]));
    const float affine = (layer.x[at] - mean[channel]) * factor + layer.shift[channel];
    const bool passes = after == After::kNothing || (after == After::kRelu ? affine : y[at]) > 0;
    through[at] = passes ? layer.gradient[at] : 0.0f;
    right_shift[channel] += through[at];
    right_scale[channel] += through[at] * layer.normalised(at);
  }
  for (int64_t at = 0; at < layer.size; ++at) {
    const int64_t channel = at % layer.channels;
    const double centred = through[at] - right_shift[channel] / layer.pixels -
                           layer.normalised(at) * right_scale[channel] / layer.pixels;
    right_x[at] = centred * layer.scale[channel] / layer.deviation(channel);
  }
  const bool has_residual = after == After::kResidualAndRelu;
  std::vector<float> x(layer.size), scale(layer.channels), shift(layer.channels);
  std::vector<float> residual(has_residual ? layer.size : 0);
  norms.gradient({layer.of, after, layer.gradient.data(), layer.x.data(), has_residual ? y.data() : nullptr,
                  mean.data(), variance.data(), x.data(), scale.data(), shift.data(), residual.data()});
  require(close(x, right_x), "gradients of batches differ", ltr::name(set));
  require(close(scale, right_scale), "gradients of scales differ", ltr::name(set));
  require(close(shift, right_shift), "gradients of shifts differ", ltr::name(set));
  if (has_residual) require(close(residual, through), "gradients of residuals differ", ltr::name(set));
}

}  // namespace

int main() {
  for (const ltr::InstructionSet current : ltr::instruction_sets()) {
    set = current;
    for (int turn = 0; turn < 200; ++turn) {
      const Case layer;
      for (const bool has_residual : {false, true}) {
        for (const bool relu : {false, true}) check_forward(layer, ltr::batch_norms(set), has_residual, relu);
      }
      for (const After after : {After::kNothing, After::kRelu, After::kResidualAndRelu}) {
        check_gradients(layer, ltr::batch_norms(set), after);
      }
    }
    std::printf("%s\n", ltr::name(set));
  }
}
