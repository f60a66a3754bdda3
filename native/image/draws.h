#pragma once

#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/rng.h"

namespace cae {

/// Where a generator of masks or crops gets its random numbers: a keyed stream, or values written down before.
class Draws {
 public:
  virtual ~Draws() = default;

  /// A real number of [lo, hi); `hi` may be below `lo`.
  virtual double uniform(double lo, double hi) = 0;

  /// A whole number of lo..hi, both included.
  virtual int64_t integer(int64_t lo, int64_t hi) = 0;
};

/// The draws that `key` names.
class KeyedDraws : public Draws {
 public:
  explicit KeyedDraws(const RngKey& key) : stream_(key) {}

  double uniform(double lo, double hi) override { return stream_.uniform(lo, hi); }
  int64_t integer(int64_t lo, int64_t hi) override { return stream_.integer(lo, hi); }

 private:
  RngStream stream_;
};

/// Values drawn elsewhere, given back in their order: how our generators are held against the reference's.
class RecordedDraws : public Draws {
 public:
  explicit RecordedDraws(std::span<const double> values) : values_(values) {}

  double uniform(double, double) override { return next(); }
  int64_t integer(int64_t, int64_t) override { return static_cast<int64_t>(next()); }

  /// Throws unless every value was used.
  void done() const {
    CAE_CHECK(next_ == values_.size(), "ERR_CAE_OPTION", "only ", next_, " of ", values_.size(),
              " recorded draws were used");
  }

 private:
  double next() {
    CAE_CHECK(next_ < values_.size(), "ERR_CAE_OPTION", "the ", values_.size(), " recorded draws are used up");
    return values_[next_++];
  }

  std::span<const double> values_;
  size_t next_ = 0;
};

}  // namespace cae
