#include <handrail/train/run/internal/fingerprint.h>

#include <algorithm>
#include <cstddef>
#include <sstream>

#include <handrail/core/error.h>
#include <handrail/core/system/build.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

// Fowler, Noll, Vo: 64-bit FNV-1a.
class Hash {
 public:
  template <class T>
  void add(std::span<const T> values) {
    for (const std::byte byte : std::as_bytes(values)) hash_ = (hash_ ^ std::to_integer<unsigned>(byte)) * prime;
  }
  std::string text() const {
    std::ostringstream out;
    out << std::hex << hash_;
    return out.str();
  }

 private:
  static constexpr std::uint64_t prime = 0x100000001B3;
  std::uint64_t hash_ = 0xCBF29CE484222325;
};

// How many, which, and what a few of them are. What a data set makes up anew at each reading cannot be compared.
std::string samples_text(const DataPart& part, Index count) {
  constexpr Index some = 64;
  const Rows rows = sample_rows(part, some);
  const Batch once = gather(part, rows.numbers()), again = gather(part, rows.numbers());
  Hash hash;
  hash.add(part.rows.numbers());
  const auto add = [&hash](const Tensor& a, const Tensor& b) {
    if (std::ranges::equal(std::as_bytes(a.span()), std::as_bytes(b.span()))) hash.add(a.span());
  };
  add(once.inputs, again.inputs);
  add(once.targets, again.targets);
  return concat(count, ", hash ", hash.text());
}

std::string exact(double value) {
  std::string text;
  append_exact(text, value);
  return text;
}
std::string exact(const std::optional<double>& value, const char* otherwise) {
  return value ? exact(*value) : otherwise;
}

}  // namespace

// Throws unless the settings are those the run began with, but for those allowed to differ.
void check_fingerprint(const std::map<std::string, std::string>& begun,
                       const std::map<std::string, std::string>& now_all, const std::vector<std::string>& allow) {
  std::string known;
  for (const auto& [name, unused] : now_all) known += concat(known.empty() ? "" : ", ", name);
  for (const std::string& name : allow)
    if (!now_all.contains(name))
      fail<OptionError>("resume: want only these names in `allow`: ", known, "; got '", name, "'");
  std::string wrong, names;
  std::map<std::string, std::string> all = begun;
  all.insert(now_all.begin(), now_all.end());
  const auto text = [](const auto& settings, const std::string& name) {
    const auto it = settings.find(name);
    return it == settings.end() ? std::string("none") : it->second;
  };
  for (const auto& [name, unused] : all) {
    const std::string then = text(begun, name), now = text(now_all, name);
    if (then == now || std::ranges::count(allow, name) > 0) continue;
    wrong += concat("\n  ", name, ": ", then, " when the run began, ", now, " now");
    names += concat(names.empty() ? "\"" : ", \"", name, "\"");
  }
  if (!wrong.empty())
    fail<CheckpointError>("resume: want the data, model, options and build that the run began with; got others:", wrong,
                          "\n  to resume anyway, with other bits than an uninterrupted run: {.allow = {", names, "}}");
}

std::map<std::string, std::string> fingerprint(const TrainerOptions& o, const RunParts& parts) {
  const auto number = [](const auto& value) { return std::to_string(static_cast<std::int64_t>(value)); };
  const auto limit = [](const std::optional<Index>& value) { return value ? std::to_string(*value) : "off"; };
  Hash parameters;
  for (const Parameter& p : parts.parameters) parameters.add<char>(concat(p.name, p.tensor.shape(), ';'));
  std::map<std::string, std::string> all{
      {"epochs", number(o.epochs)},
      {"batch_size", number(o.batch_size)},
      {"drop_last", number(o.drop_last)},
      {"accumulate_grad_batches", number(o.accumulate_grad_batches)},
      {"limit_train_batches", limit(o.limit_train_batches)},
      {"limit_val_batches", limit(o.limit_val_batches)},
      {"val_check_interval", number(o.val_check_interval)},
      {"optimizer", parts.optimizer.settings()},
      {"lr", exact(o.lr, "automatic")},
      {"lr_scaling", number(o.lr_scaling)},
      {"decay", number(o.decay)},
      {"warmup", exact(o.warmup, "off")},
      {"weight_decay", exact(o.weight_decay, "off")},
      {"decay_exempt", number(o.decay_exempt)},
      {"clip_norm", exact(o.clip_norm, "off")},
      {"ema_beta", exact(o.ema_beta, "off")},
      {"monitor", o.monitor},
      {"mode", o.mode == MonitorMode::min ? "min" : "max"},
      {"improvement", o.improvement == Improvement::plain ? "plain" : "significant"},
      {"seed", std::to_string(o.seed)},
      {"parameters", concat(parts.parameters.size(), ", hash ", parameters.text())},
      {"training samples", samples_text(parts.training, parts.training_samples)},
      {"validation samples", parts.validation ? samples_text(*parts.validation, parts.validation_samples) : "none"},
      {"library", version()},
      {"build", build_description()}};
  if (const auto& constants = parts.normalization)
    all["normalization"] = concat("mean ", exact(constants->mean), ", stddev ", exact(constants->stddev));
  return all;
}

}  // namespace handrail::train
