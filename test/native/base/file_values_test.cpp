#include "base/file_values.h"

#include <unistd.h>

#include <cstdio>
#include <limits>
#include <string_view>

#include "testing.h"

namespace {

using namespace cae;
using namespace cae::testing;

/// A file without a name: `skipped` bytes, then the tensors one behind the other.
class File {
 public:
  File(int64_t skipped, const std::vector<at::Tensor>& tensors) : file_(std::tmpfile()) {
    CAE_CHECK(file_ != nullptr, "TEST", "no temporary file");
    put(std::string(static_cast<size_t>(skipped), 'x').data(), static_cast<size_t>(skipped));
    for (const at::Tensor& tensor : tensors) put(tensor.const_data_ptr(), tensor.nbytes());
    std::fflush(file_);
  }
  ~File() { std::fclose(file_); }

  FileValues at(int64_t position, int64_t count, at::ScalarType type) const {
    return {.descriptor = fileno(file_), .position = position, .count = count, .type = type, .path = "the file"};
  }

 private:
  void put(const void* data, size_t bytes) {
    CAE_CHECK(std::fwrite(data, 1, bytes, file_) == bytes, "TEST", "cannot write");
  }

  std::FILE* file_;
};

void expectRefused(const std::vector<at::Tensor>& targets, const std::vector<FileValues>& values,
                   std::string_view says) {
  try {
    fillFromFiles(targets, values);
  } catch (const Error& e) {
    CAE_CHECK(e.code() == "ERR_CAE_CHECKPOINT", "TEST", "code ", e.code());
    CAE_CHECK(std::string_view(e.what()).find(says) != std::string_view::npos, "TEST", "says: ", e.what());
    return;
  }
  CAE_CHECK(false, "TEST", "was not refused");
}

void fillsEveryType() {
  // Longer than a piece, and no multiple of one.
  const at::Tensor wanted = numbers({301, 777}, 1).detach().to(at::kBFloat16).to(at::kFloat);
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
    const at::Tensor stored = wanted.to(type);
    const File file(5, {stored});
    const at::Tensor target = at::full({301, 777}, -1.0F);
    const auto counts = fillFromFiles({target}, {file.at(5, target.numel(), type)});
    expectClose(c10::toString(type), target, stored.to(at::kFloat), 0);
    CAE_CHECK(counts == std::vector<int64_t>{0}, "TEST", "counted ", counts);
  }
}

void fillsSeveralInAnyLayout() {
  const at::Tensor a = numbers({70, 1000}, 2).detach(), b = numbers({3}, 3).detach();
  const File file(0, {a, b});
  const at::Tensor first = at::zeros({1000, 70}).t(), second = at::zeros({3}), none = at::zeros({0});
  fillFromFiles({second, first, none},
                {file.at(4 * a.numel(), 3, at::kFloat), file.at(0, a.numel(), at::kFloat), file.at(0, 0, at::kFloat)});
  expectClose("transposed", first, a, 0);
  expectClose("short", second, b, 0);
}

void countsWhatIsNotFinite() {
  at::Tensor values = at::zeros({200'000});
  values[0] = std::numeric_limits<float>::quiet_NaN();
  values[131'071] = std::numeric_limits<float>::infinity();
  values[199'999] = -std::numeric_limits<float>::infinity();
  values[7] = std::numeric_limits<float>::max();
  values[8] = std::numeric_limits<float>::denorm_min();
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const File file(0, {values.to(type)});
    const auto counts = fillFromFiles({at::empty({200'000})}, {file.at(0, 200'000, type)});
    CAE_CHECK(counts == std::vector<int64_t>{3}, "TEST", "counted ", counts);
  }
}

void refusesWhatIsNotThere() {
  const File file(0, {at::zeros({10})});
  expectRefused({at::zeros({11})}, {file.at(0, 11, at::kFloat)}, "it ends at byte 40: it was cut short");
  expectRefused({at::zeros({10})}, {file.at(0, 9, at::kFloat)}, "9 numbers for a tensor of 10");
  FileValues closed = file.at(0, 10, at::kFloat);
  closed.descriptor = dup(closed.descriptor);
  close(closed.descriptor);
  expectRefused({at::zeros({10})}, {closed}, "cannot read");
}

}  // namespace

int main() {
  return runAll({
      {"float32, float64, float16 and bfloat16 come as float32", fillsEveryType},
      {"several tensors of a file, contiguous or not, and empty ones", fillsSeveralInAnyLayout},
      {"infinities and NaN are counted in every piece", countsWhatIsNotFinite},
      {"a short file, another length and a file that cannot be read are refused", refusesWhatIsNotThere},
  });
}
