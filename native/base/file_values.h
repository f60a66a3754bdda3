#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cae {

/// Numbers that lie one after another in an open file, row-major, lowest byte first.
struct FileValues {
  int descriptor;
  int64_t position;  // of the first byte
  int64_t count;
  at::ScalarType type;  // float32, float64, float16 or bfloat16
  std::string path;     // for messages
};

/// Fills float32 tensors from files, straight into their memory where they are on the CPU: each byte is moved once,
/// by as many threads as a product has. float64 is rounded to the nearest.
/// Returns for each tensor how many of its values are infinite or no numbers.
/// Throws ERR_CAE_CHECKPOINT for a file that ends too early or cannot be read; some of the tensors are filled then.
std::vector<int64_t> fillFromFiles(const std::vector<at::Tensor>& targets, const std::vector<FileValues>& values);

}  // namespace cae
