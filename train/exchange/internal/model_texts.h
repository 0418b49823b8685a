#pragma once

#include <map>
#include <string>

#include <handrail/train/data/model_info.h>

namespace handrail::train {

/// What is known of a model as texts by name, for the metadata of files that other programs read; save_weights
/// (train/exchange/weights.h) says which. Lists are JSON. The table is left out.
std::map<std::string, std::string> texts_of(const ModelInfo& info);

}  // namespace handrail::train
