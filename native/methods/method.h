#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "image/batch.h"
#include "model/drop_path.h"
#include "model/encoder.h"
#include "model/pass.h"

namespace cae {

/// How a method's forward runs.
struct ForwardArgs {
  at::ScalarType dtype;  // of the matrix products
  bool isTraining;       // drop path is drawn
  DropPathKey key;
  Trace trace;
};

/// What a forward pass gives: the loss to differentiate, and the numbers to report, 0-dim tensors on the device.
struct Losses {
  at::Tensor total;
  std::map<std::string, at::Tensor> metrics;
};

/// One tensor of a checkpoint.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  bool trainable;
  bool decay;  // takes part in weight decay (spec/cae.md 6.2)
};

/// A pre-training method: a network with a loss. Shared code knows nothing else about it.
class Method {
 public:
  virtual ~Method() = default;

  /// Draws fresh weights, a pure function of the configuration and `seed`.
  virtual void initialise(uint64_t seed) = 0;

  /// Refuses a batch that forward() could not use (ERR_CAE_SHAPE). For the batch as it lies on the host: looking at
  /// values costs nothing there, while an index out of range would end a CUDA process.
  virtual void check(const Batch& batch) const = 0;

  /// Loss of a batch that passed check(), its tensors on the network's device (the mask on the host). Threads may call
  /// it side by side.
  virtual Losses forward(const Batch& batch, const ForwardArgs& args) = 0;

  /// Lets a momentum target follow the network: once a training step, between its forward passes and its update.
  virtual void followNetwork() {}

  /// The part that outlives pre-training.
  virtual Encoder& encoder() = 0;

  virtual torch::nn::Module& network() = 0;

  /// What the decoder makes of a batch (spec/cae.md 9.1): `full` takes all patches straight from the encoder.
  virtual at::Tensor reconstruct(const Batch& batch, bool full) = 0;

  /// Every tensor a checkpoint holds, in the order of the network. Parameters first decide about decay by shape and
  /// name.
  std::vector<NamedTensor> tensors();
};

/// Makes the network of `config.method`, on `device`, with uninitialised weights.
std::unique_ptr<Method> createMethod(const Config& config, const at::Device& device);

}  // namespace cae
