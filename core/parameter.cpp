#include <handrail/core/parameter.h>

namespace handrail {

const char* to_string(Role role) {
  switch (role) {
    case Role::weight:
      return "weight";
    case Role::bias:
      return "bias";
    case Role::norm:
      return "norm";
    case Role::embedding:
      return "embedding";
  }
  return "unknown";
}

}  // namespace handrail
