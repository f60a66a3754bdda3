#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace cae {

/// The one exception this addon throws on purpose; it crosses the border as a CaeError of the same code.
/// `what` says what happened, `where` names the tensor, file or argument, `todo` what the user can do.
class Error : public std::exception {
 public:
  Error(std::string code, std::string what, std::string where = {}, std::string todo = {})
      : code_(std::move(code)), what_(std::move(what)), where_(std::move(where)), todo_(std::move(todo)) {}

  const char* what() const noexcept override { return what_.c_str(); }
  const std::string& code() const { return code_; }
  const std::string& where() const { return where_; }
  const std::string& todo() const { return todo_; }

 private:
  std::string code_, what_, where_, todo_;
};

/// Joins its arguments as a stream would: `text("batch ", 3)` is "batch 3".
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace cae

/// Throws cae::Error with `code` and the joined message unless `cond` holds: for anything a user can cause.
#define CAE_CHECK(cond, code, ...)                                     \
  do {                                                                 \
    if (!(cond)) throw ::cae::Error((code), ::cae::text(__VA_ARGS__)); \
  } while (false)
