#include "base/config_reader.h"

#include <cmath>

#include "base/check.h"

namespace cae {

template <class T>
const T& ConfigReader::get(const std::string& key, const char* type) {
  const auto found = config_.find(key);
  CAE_CHECK(found != config_.end(), "ERR_CAE_INTERNAL", name_, ".", key, " is missing");
  const T* value = std::get_if<T>(&found->second);
  CAE_CHECK(value != nullptr, "ERR_CAE_INTERNAL", name_, ".", key, " is not a ", type);
  CAE_CHECK(read_.insert(key).second, "ERR_CAE_INTERNAL", name_, ".", key, " is read twice");
  return *value;
}

int64_t ConfigReader::integer(const std::string& key) {
  const double value = get<double>(key, "number");
  CAE_CHECK(std::floor(value) == value && std::abs(value) < 9007199254740992.0, "ERR_CAE_INTERNAL", name_, ".", key,
            " is not an integer: ", value);
  return static_cast<int64_t>(value);
}

double ConfigReader::real(const std::string& key) { return get<double>(key, "number"); }

bool ConfigReader::flag(const std::string& key) { return get<bool>(key, "boolean"); }

std::string ConfigReader::word(const std::string& key) { return get<std::string>(key, "string"); }

int64_t ConfigReader::choice(const std::string& key, const std::vector<std::string>& words) {
  const std::string value = word(key);
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == value) return static_cast<int64_t>(i);
  }
  throw Error("ERR_CAE_INTERNAL", text(name_, ".", key, " has the unknown value '", value, "'"));
}

std::vector<double> ConfigReader::reals(const std::string& key, size_t count) {
  const auto& value = get<std::vector<double>>(key, "list of numbers");
  CAE_CHECK(value.size() == count, "ERR_CAE_INTERNAL", name_, ".", key, " has ", value.size(), " entries, not ", count);
  return value;
}

void ConfigReader::done() const {
  for (const auto& [key, value] : config_) {
    CAE_CHECK(read_.contains(key), "ERR_CAE_INTERNAL", name_, ".", key, " is read by nobody");
  }
}

}  // namespace cae
