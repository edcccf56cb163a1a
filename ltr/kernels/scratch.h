// Memory that a thread keeps from call to call.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace ltr {

// Memory aligned to cache lines.
class Scratch {
 public:
  float* floats(size_t count) {
    if (size_ < count) {
      memory_.reset(static_cast<float*>(std::aligned_alloc(64, (count * sizeof(float) + 4095) / 4096 * 4096)));
      size_ = memory_ ? count : 0;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float, Free> memory_;
  size_t size_ = 0;
};

}  // namespace ltr
