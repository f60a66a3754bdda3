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
  void add(int64_t piece, at::Tensor grad) {
    std::unique_lock lock(mutex_);
    early_.emplace(piece, std::move(grad));
    if (busy_) return;  // whoever is adding takes this one too when its turn has come
    busy_ = true;
    while (!early_.empty() && isTurnOf(early_.begin()->first)) {
      at::Tensor turn = std::move(early_.begin()->second);
      early_.erase(early_.begin());
      lock.unlock();
      take(std::move(turn));
      lock.lock();
      ++added_;
    }
    busy_ = false;
  }

  at::Tensor finish(const at::Tensor& param) {
    for (auto& [piece, grad] : early_) take(std::move(grad));
    early_.clear();
    return sum_.defined() ? std::move(sum_) : at::zeros_like(param);
  }

 private:
  /// Whether the earliest piece at hand may be added now. The sum of the first two is the same either way round, so
  /// whichever comes first begins: two lanes never keep a gradient waiting.
  bool isTurnOf(int64_t piece) const { return added_ < 2 ? piece < 2 : piece == added_; }

  void take(at::Tensor grad) {
    const at::NoGradGuard noGrad;
    if (sum_.defined()) {
      sum_.add_(grad);
    } else {
      // One that others still look at may be written by them: it is theirs.
      const bool isOurs = grad.is_contiguous() && grad.use_count() == 1 && grad.storage().use_count() == 1;
      sum_ = isOurs ? std::move(grad) : grad.clone(at::MemoryFormat::Contiguous);
    }
  }

  at::Tensor sum_;
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
  /// `like`: has the shape and the type in which gradients are wanted; the engine converts those of another type.
  Deliver(std::shared_ptr<Sum> sum, const at::Tensor& like) : Node(/*sequence_nr=*/UINT64_MAX), sum_(std::move(sum)) {
    add_input_metadata(like);
  }

  variable_list apply(variable_list&& grads) override {
    if (grads[0].defined()) sum_->add(currentPiece, std::move(grads[0]));
    return {};
  }

 private:
  std::shared_ptr<Sum> sum_;
};

}  // namespace

OrderedGrads::OrderedGrads(const FlatParams& params, size_t pieces) : params_(params) {
  for (const auto& slot : params.slots()) {
    sums_.push_back(std::make_shared<Sum>());
    const NodePtr node =
        makeNode<Deliver<Sum>>(sums_.back(), pieces == 1 && slot.cast.defined() ? slot.cast : slot.param);
    torch::autograd::impl::set_grad_accumulator(slot.param, weakly(node));
    nodes_.push_back(std::make_shared<NodePtr>(node));
  }
}

OrderedGrads::~OrderedGrads() = default;

void OrderedGrads::setPiece(int64_t piece) { currentPiece = piece; }

std::vector<at::Tensor> OrderedGrads::finish() {
  std::vector<at::Tensor> grads;
  for (size_t i = 0; i < sums_.size(); ++i) grads.push_back(sums_[i]->finish(params_.slots()[i].param.detach()));
  return grads;
}

}  // namespace cae
