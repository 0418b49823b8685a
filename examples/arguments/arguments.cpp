#include "arguments/arguments.h"

#include <charconv>
#include <sstream>
#include <string_view>

#include <handrail/core/error.h>
#include <handrail/core/system/parallel.h>

namespace handrail::train {
namespace {

template <class Number>
bool parse(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_none(std::string_view text, Off) { return text == "off"; }
bool is_none(std::string_view text, Auto) { return text == "auto"; }

template <class Number, class None>
bool parse(std::string_view text, ValueOr<Number, None>& value) {
  if (is_none(text, None{})) {
    value = None{};
    return true;
  }
  Number number{};
  if (!parse(text, number)) return false;
  value = number;
  return true;
}

}  // namespace

Arguments::Arguments(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (!argument.starts_with("--") || argument.size() == 2)
      fail<OptionError>("arguments: want --name value; got '", argument, "'");
    const auto equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    std::string value;
    if (equals != std::string::npos)
      value = argument.substr(equals + 1);
    else if (i + 1 < argc)
      value = argv[++i];
    else if (name != "help")
      fail<OptionError>("arguments: want a value after '--", name, "'; got none");
    if (!given_.emplace(name, value).second) fail<OptionError>("arguments: '--", name, "' is given twice");
  }
}

std::string Arguments::get(const std::string& name, std::string otherwise) {
  known_.insert(name);
  const auto it = given_.find(name);
  return it == given_.end() ? std::move(otherwise) : it->second;
}

TrainerOptions Arguments::options(TrainerOptions o) {
  std::ostringstream wrong;
  const auto take = [&](const std::string& name, auto& value) {
    known_.insert(name);
    const auto it = given_.find(name);
    if (it != given_.end() && !parse(it->second, value))
      wrong << "\n  want a number after '--" << name << "'; got '" << it->second << "'";
  };
  int threads = num_threads();
  take("epochs", o.epochs);
  take("batch-size", o.batch_size);
  take("lr", o.lr);
  take("warmup", o.warmup);
  take("weight-decay", o.weight_decay);
  take("clip-norm", o.clip_norm);
  take("validation-split", o.validation_split);
  take("patience", o.patience);
  take("accumulate-grad-batches", o.accumulate_grad_batches);
  take("max-seconds", o.max_seconds);
  take("seed", o.seed.value);
  take("threads", threads);
  known_.insert("runs");
  if (const auto it = given_.find("runs"); it != given_.end() && it->second == "off")
    o.checkpoints = off;
  else if (it != given_.end() && o.checkpoints)
    o.checkpoints->dir = it->second;
  for (const auto& [name, value] : given_)
    if (!known_.contains(name) && name != "help") wrong << "\n  unknown option '--" << name << "'";
  if (!wrong.str().empty() || given_.contains("help")) {
    wrong << "\n  known:";
    for (const std::string& name : known_) wrong << " --" << name;
    fail<OptionError>("arguments:", wrong.str());
  }
  set_num_threads(threads);
  validate(o);
  return o;
}

}  // namespace handrail::train
