#pragma once

#include <memory>

#include "methods/method.h"

namespace cae {

/// An encoder whose weights come from a file, with no loss to train it by. Its tensors are called `encoder.*`, as in
/// the checkpoints of every method; with CLIP's projection of its output there is `projection.weight` besides. Reads
/// the encoder's keys and `projectionDim` from `reader`.
std::unique_ptr<Method> createEncoderAlone(ConfigReader& reader, const at::Device& device);

}  // namespace cae
