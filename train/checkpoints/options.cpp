#include <handrail/train/checkpoints/options.h>

#include <handrail/core/error.h>

namespace handrail::train {

std::string name_problem(const std::string& name) {
  constexpr const char* allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  if (name.find_first_not_of(allowed) == std::string::npos && !name.starts_with('.') && name.size() <= 100) return {};
  return concat(" of at most 100 letters, digits, '_', '-' and '.', not starting with '.'; got '", name, "'");
}

}  // namespace handrail::train
