#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "image/batch.h"
#include "model/discrete_vae.h"
#include "model/drop_path.h"
#include "model/encoder.h"
#include "model/pass.h"

namespace cae {

/// How a method's forward runs.
struct ForwardArgs {
  at::ScalarType dtype;  // of the matrix products
  bool isTraining;       // drop path is drawn
  DropPathKey key;
  int64_t stepSamples;                     // of the whole optimizer step, of which the batch is a part
  std::map<std::string, double> schedule;  // this step's values of what the method names in schedules()
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

  /// Lets a momentum target follow the network: before every update of the network, after the step's forward passes.
  virtual void followNetwork() {}

  /// Lets an average of the weights follow them: after every update of the network.
  virtual void afterUpdate() {}

  /// Names of the values that a forward pass wants and that change from step to step: a temperature, a loss's weight.
  virtual std::vector<std::string> schedules() const { return {}; }

  /// The part that outlives pre-training. ERR_CAE_OPTION where there is none, as in a tokenizer.
  virtual Encoder& encoder();

  /// The part that gives images token ids; ERR_CAE_OPTION where there is none. Where the method averages its weights,
  /// it has the averaged ones.
  virtual DiscreteVae& tokenizer();

  /// What a frozen encoder makes of raw images (uint8) of its own size, for others to predict: every token [B, 1 + N,
  /// C] in float32, class token first, through its projection where it has one. ERR_CAE_OPTION for other methods.
  virtual at::Tensor latents(const at::Tensor& images);

  virtual torch::nn::Module& network() = 0;

  /// What a tokenizer makes of images: `ids` [B, h, w]; `images` [B, 3, H, W] decoded from them and `original`, both in
  /// [0, 1]; `usage` [V], the mean probability of every code; and for every image [B] `pixel_mse`, `fit` (what the
  /// objective says of images decoded from ids, as the step's metric of it) and `kl`. ERR_CAE_OPTION for other methods.
  virtual std::map<std::string, at::Tensor> measure(const Batch& batch);

  /// What the decoder makes of a batch (spec/cae.md 9.1): `full` takes all patches straight from the encoder.
  /// ERR_CAE_OPTION for methods without such a decoder.
  virtual at::Tensor reconstruct(const Batch& batch, bool full);

  /// Every tensor a checkpoint holds, in the order of the network. Parameters first decide about decay by shape and
  /// name.
  std::vector<NamedTensor> tensors();
};

/// Refuses values that are not exactly those that the method names in schedules().
void checkSchedule(const Method& method, const std::map<std::string, double>& schedule);

/// Makes the network of `config.method`, on `device`, with uninitialised weights.
std::unique_ptr<Method> createMethod(const Config& config, const at::Device& device);

}  // namespace cae
