#include <handrail/train/exchange/internal/model_texts.h>

#include <nlohmann/json.hpp>

#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

const char* name_of(Task task) {
  if (task == Task::multiclass) return "multiclass";
  return task == Task::binary ? "binary" : "regression";
}

std::string exact(double value) {
  std::string text;
  append_exact(text, value);
  return text;
}

// Bytes that are not UTF-8 become U+FFFD.
template <class List>
std::string json_of(const List& list) {
  return nlohmann::json(list).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_of(const Shape& shape) {
  return json_of(std::vector<Index>(shape.dims().begin(), shape.dims().end()));
}

}  // namespace

std::map<std::string, std::string> texts_of(const ModelInfo& info) {
  std::map<std::string, std::string> texts{{"task", name_of(info.task)}};
  if (info.input_shape != Shape()) texts["input_shape"] = json_of(info.input_shape);
  if (info.target_shape != Shape()) texts["target_shape"] = json_of(info.target_shape);
  if (info.normalization) {
    texts["normalization.mean"] = exact(info.normalization->mean);
    texts["normalization.stddev"] = exact(info.normalization->stddev);
  }
  if (!info.class_names.empty()) texts["class_names"] = json_of(info.class_names);
  if (!info.class_weights.empty()) texts["class_weights"] = json_of(info.class_weights);
  return texts;
}

}  // namespace handrail::train
