#include "train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <omp.h>

#include <chrono>
#include <cmath>

#include "base/check.h"
#include "ops/squared_sum.h"
#include "train/ordered_grads.h"

namespace cae {
namespace {

/// A lane of fewer samples than this does not pay: its weights' gradients are a lane's own, as large as the network,
/// and have to be added to those of the others.
constexpr int64_t kLeastSamples = 4;

/// How many threads share a step by samples, each with its own forward and backward pass and one thread for its
/// operators: on a CPU all of them, as threads that share every small operator wait for each other more than they
/// compute. One where a batch has too few samples to go round.
int64_t lanesFor(const Batch& batch, const at::Device& device) {
  const int64_t threads = at::get_num_threads();
  return device.is_cpu() && batch.images.size(0) >= kLeastSamples * threads ? threads : 1;
}

/// Calls body(lane) in a thread for each lane; operators inside use that thread alone.
template <class Body>
void runLanes(int64_t lanes, const Body& body) {
  at::parallel_for(0, lanes, 1, [&](int64_t first, int64_t last) {
    omp_set_num_threads(1);  // for this task only: it ends with the parallel region
    for (int64_t lane = first; lane < last; ++lane) body(lane);
  });
}

/// The norm of all gradients together.
double normOf(const std::vector<at::Tensor>& grads) {
  double sum = 0;
  for (const at::Tensor& grad : grads) sum += ops::squaredSum(grad);
  return std::sqrt(sum);
}

TensorFinding look(const std::string& name, const at::Tensor& tensor) {
  if (tensor.numel() == 0) return {.name = name, .nonFinite = 0, .largest = 0};
  const at::Tensor values = tensor.detach().to(at::kFloat).abs();
  const at::Tensor finite = at::isfinite(values);
  return {.name = name,
          .nonFinite = values.numel() - finite.sum().item<int64_t>(),
          .largest = at::where(finite, values, 0).max().item<double>()};
}

/// The pieces of a step name the same results in the same order: one entry a name.
std::vector<TensorFinding> merged(const std::vector<std::vector<TensorFinding>>& pieces) {
  std::vector<TensorFinding> all = pieces.front();
  for (size_t piece = 1; piece < pieces.size(); ++piece) {
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].nonFinite += pieces[piece].at(i).nonFinite;
      all[i].largest = std::max(all[i].largest, pieces[piece].at(i).largest);
    }
  }
  return all;
}

}  // namespace

Trainer::Trainer(std::shared_ptr<Method> method, at::ScalarType dtype, const AdamWConfig& config)
    : method_(std::move(method)),
      dtype_(dtype),
      params_(*method_),
      optimizer_(params_, config),
      lowPrecision_(method_->network(), dtype, params_) {}

Trainer::Metrics Trainer::differentiatePiece(const Piece& piece, int64_t stepSamples, const Hyper& hyper,
                                             const Trace& trace) {
  const Batch batch = piece.batch->rows(piece.begin, piece.end).to(params_.values().device());
  const ForwardArgs args = {.dtype = dtype_,
                            .isTraining = true,
                            .key = {.seed = hyper.seed, .step = hyper.step, .firstPosition = piece.position},
                            .stepSamples = stepSamples,
                            .schedule = hyper.schedule,
                            .trace = trace};
  const Losses losses = method_->forward(batch, args);
  losses.total.backward(at::full({}, piece.share, losses.total.options()));
  Metrics metrics;
  for (const auto& [name, value] : losses.metrics) metrics[name] = value.to(at::kDouble) * piece.share;
  return metrics;
}

Trainer::Derivative Trainer::differentiate(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper,
                                           Findings* activations) {
  CAE_CHECK(!batches.empty(), "ERR_CAE_SHAPE", "a step needs at least one batch");
  checkSchedule(*method_, hyper.schedule);
  int64_t samples = 0;
  for (const auto& batch : batches) {
    method_->check(*batch);
    samples += batch->images.size(0);
  }

  const int64_t lanes = lanesFor(*batches.front(), params_.values().device());
  std::vector<Piece> pieces;
  int64_t position = hyper.firstPosition;
  for (const auto& batch : batches) {
    const int64_t size = batch->images.size(0);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const int64_t begin = size * lane / lanes, end = size * (lane + 1) / lanes;
      if (begin == end) continue;  // a batch smaller than the first, with fewer samples than lanes
      pieces.push_back({.batch = batch.get(),
                        .begin = begin,
                        .end = end,
                        .share = static_cast<double>(end - begin) / static_cast<double>(samples),
                        .position = position + begin});
    }
    position += size;
  }
  std::vector<Metrics> metrics(pieces.size());
  std::vector<Findings> traced(pieces.size());
  const auto run = [&](size_t piece) {
    Trace trace;
    if (activations != nullptr) {
      trace = [&](const std::string& name, const at::Tensor& value) { traced[piece].push_back(look(name, value)); };
    }
    metrics[piece] = differentiatePiece(pieces[piece], samples, hyper, trace);
  };
  const auto runLane = [&](int64_t lane) {
    for (auto piece = static_cast<size_t>(lane); piece < pieces.size(); piece += static_cast<size_t>(lanes)) {
      OrderedGrads::setPiece(static_cast<int64_t>(piece));
      run(piece);
    }
  };
  std::vector<at::Tensor> grads;
  if (params_.grads().defined()) {  // a device's engine has a thread of its own, which knows no pieces
    params_.grads().zero_();
    runLane(0);
    for (const auto& slot : params_.slots()) grads.push_back(FlatParams::view(params_.grads(), slot));
  } else {
    OrderedGrads ordered(params_, pieces.size());
    if (lanes == 1) {
      runLane(0);
    } else {
      runLanes(lanes, runLane);
    }
    grads = ordered.finish();
  }
  if (activations != nullptr) *activations = merged(traced);
  Metrics sums;
  for (const Metrics& piece : metrics) {
    for (const auto& [name, value] : piece) {
      at::Tensor& sum = sums[name];
      sum = sum.defined() ? sum + value : value;
    }
  }

  // The one wait for the device: the numbers to report, among them those that decide whether to update.
  Derivative derivative = {.values = {}, .grads = std::move(grads)};
  const double norm =
      params_.grads().defined() ? at::linalg_vector_norm(params_.grads()).item<double>() : normOf(derivative.grads);
  for (const auto& [name, sum] : sums) derivative.values[name] = sum.item<double>();
  derivative.values["grad_norm"] = norm;
  return derivative;
}

StepResult Trainer::step(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper) {
  const auto start = std::chrono::steady_clock::now();
  Derivative derivative = differentiate(batches, hyper, nullptr);
  StepResult result = {.values = std::move(derivative.values), .skipped = false, .computeNs = 0};
  const double norm = result.values.at("grad_norm");
  result.skipped = !std::isfinite(norm) || !std::isfinite(result.values.at("loss"));
  if (!result.skipped) {
    // spec/cae.md 6.4
    const double clip = hyper.clipNorm > 0 ? std::min(1.0, hyper.clipNorm / (norm + 1e-6)) : 1.0;
    method_->followNetwork();
    const AdamW::Step update = {
        .lr = hyper.lr, .weightDecay = hyper.weightDecay, .gradScale = clip, .lowPrecision = lowPrecision_.values()};
    params_.grads().defined() ? optimizer_.step(update) : optimizer_.step(update, derivative.grads);
    lowPrecision_.refreshFollowers();
    method_->afterUpdate();
  }
  result.computeNs = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
  return result;
}

StepFindings Trainer::examine(const std::vector<std::shared_ptr<Batch>>& batches, const Hyper& hyper) {
  StepFindings findings;
  Derivative derivative = differentiate(batches, hyper, &findings.activations);
  findings.values = std::move(derivative.values);
  for (size_t i = 0; i < derivative.grads.size(); ++i) {
    const FlatParams::Slot& slot = params_.slots()[i];
    findings.weights.push_back(look(slot.name, slot.param));
    findings.gradients.push_back(look(slot.name, derivative.grads[i]));
  }
  return findings;
}

std::vector<NamedTensor> Trainer::tensors() {
  std::vector<NamedTensor> all;
  for (const auto& slot : params_.slots()) {
    const auto add = [&](const char* kind, const at::Tensor& flat) {
      all.push_back({.name = text(kind, ".", slot.name),
                     .tensor = FlatParams::view(flat, slot),
                     .trainable = false,
                     .decay = slot.decay});
    };
    add("exp_avg", optimizer_.firstMoment());
    add("exp_avg_sq", optimizer_.secondMoment());
  }
  return all;
}

}  // namespace cae
