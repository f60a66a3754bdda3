#pragma once

#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

/// The little that plain C++ tests need: named cases. They end in an exception or pass.
namespace cae::testing {

struct Case {
  std::string name;
  std::function<void()> body;
};

/// Runs all cases and tells which failed; the exit status of the test program.
inline int runAll(const std::vector<Case>& cases) {
  int failed = 0;
  for (const Case& c : cases) {
    try {
      c.body();
      std::cout << "ok    " << c.name << "\n";
    } catch (const std::exception& e) {
      ++failed;
      const std::string what = e.what();
      // libtorch adds where it stood, which is of no use here.
      std::cout << "FAIL  " << c.name << "\n      " << what.substr(0, what.find("\nException raised from")) << "\n";
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace cae::testing
