#pragma once

#include <string>

#include <handrail/nn/module.h>

namespace handrail::nn {

/// The type of the module without its namespaces, such as "Dropout".
std::string type_name(const Module& module);

}  // namespace handrail::nn
