#include "train/ordered_grads.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <map>
#include <mutex>
#include <type_traits>
#include <utility>

namespace cae {
namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

/// How this libtorch owns the nodes of a graph: std::shared_ptr, from 2.13 on c10::intrusive_ptr.
using NodePtr = decltype(torch::autograd::impl::grad_accumulator(std::declval<const at::Tensor&>()));

template <class N, class Ptr = NodePtr, class... Args>
Ptr makeNode(Args&&... args) {
  if constexpr (std::is_same_v<Ptr, std::shared_ptr<Node>>) {
    return std::make_shared<N>(std::forward<Args>(args)...);
  } else {
    return c10::make_intrusive<N>(std::forward<Args>(args)...);
  }
}

template <class Ptr>
auto weakly(const Ptr& node) {
  if constexpr (std::is_same_v<Ptr, std::shared_ptr<Node>>) {
    return std::weak_ptr<Node>(node);
  } else {
    return c10::weak_intrusive_ptr<Node>(node);
  }
}

thread_local int64_t currentPiece = 0;

}  // namespace

/// The gradient of one parameter.
class OrderedGrads::Sum {
 public:
  explicit Sum(at::Tensor place) : place_(std::move(place)) {}

  void add(int64_t piece, at::Tensor grad) {
    std::unique_lock lock(mutex_);
    early_.emplace(piece, std::move(grad));
    if (busy_) return;  // whoever is adding takes this one too when its turn has come
    busy_ = true;
    while (!early_.empty() && isTurnOf(early_.begin()->first)) {
      const at::Tensor turn = early_.begin()->second;
      early_.erase(early_.begin());
      lock.unlock();
      write(turn);
      lock.lock();
      ++added_;
    }
    busy_ = false;
  }

  void finish() {
    for (const auto& [piece, grad] : early_) {
      write(grad);
      ++added_;
    }
    early_.clear();
    if (added_ == 0) place_.zero_();
  }

 private:
  /// Whether the earliest piece at hand may be added now. The sum of the first two is the same either way round, so
  /// whichever comes first begins: two lanes never keep a gradient waiting.
  bool isTurnOf(int64_t piece) const { return added_ < 2 ? piece < 2 : piece == added_; }

  void write(const at::Tensor& grad) {
    const at::NoGradGuard noGrad;
    if (added_ == 0) {
      place_.copy_(grad);
    } else {
      place_.add_(grad);
    }
  }

  at::Tensor place_;
  std::mutex mutex_;
  std::map<int64_t, at::Tensor> early_;
  int64_t added_ = 0;
  bool busy_ = false;
};

namespace {

/// Stands where libtorch would put a parameter's AccumulateGrad.
template <class Sum>
class Deliver : public Node {
 public:
  Deliver(std::shared_ptr<Sum> sum, const at::Tensor& param) : Node(/*sequence_nr=*/UINT64_MAX), sum_(std::move(sum)) {
    add_input_metadata(param);
  }

  variable_list apply(variable_list&& grads) override {
    if (grads[0].defined()) sum_->add(currentPiece, std::move(grads[0]));
    return {};
  }

 private:
  std::shared_ptr<Sum> sum_;
};

}  // namespace

OrderedGrads::OrderedGrads(const FlatParams& params) {
  for (const auto& slot : params.slots()) {
    sums_.push_back(std::make_shared<Sum>(FlatParams::view(params.grads(), slot)));
    const NodePtr node = makeNode<Deliver<Sum>>(sums_.back(), slot.param);
    torch::autograd::impl::set_grad_accumulator(slot.param, weakly(node));
    nodes_.push_back(std::make_shared<NodePtr>(node));
  }
}

OrderedGrads::~OrderedGrads() = default;

void OrderedGrads::setPiece(int64_t piece) { currentPiece = piece; }

void OrderedGrads::finish() {
  for (const auto& sum : sums_) sum->finish();
}

}  // namespace cae
