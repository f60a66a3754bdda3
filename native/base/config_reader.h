#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace cae {

/// A resolved configuration as it crossed the border: TypeScript has checked it and holds every default.
using ConfigValue = std::variant<bool, double, std::string, std::vector<double>>;
using Config = std::map<std::string, ConfigValue>;

/// Reads each key of a Config exactly once. A missing key, a wrong type or an unread key is an error, so that an
/// option cannot be declared on one side and ignored on the other.
class ConfigReader {
 public:
  ConfigReader(const Config& config, std::string name) : config_(config), name_(std::move(name)) {}

  int64_t integer(const std::string& key);
  double real(const std::string& key);
  bool flag(const std::string& key);
  std::string word(const std::string& key);
  /// One of `words`, as its position in the list.
  int64_t choice(const std::string& key, const std::vector<std::string>& words);
  std::vector<double> reals(const std::string& key, size_t count);

  /// Throws when a key was not read.
  void done() const;

 private:
  template <class T>
  const T& get(const std::string& key, const char* type);

  const Config& config_;
  std::string name_;
  std::set<std::string> read_;
};

}  // namespace cae
