#include <handrail/nn/internal/type_name.h>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string_view>
#include <typeinfo>

namespace handrail::nn {

std::string type_name(const Module& module) {
  const char* mangled = typeid(module).name();
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
  if (status == -1) throw std::bad_alloc();  // the mangled name would be that of another model
  const std::string_view full = name ? name.get() : mangled;
  return std::string(full.substr(full.rfind(':') + 1));
}

}  // namespace handrail::nn
