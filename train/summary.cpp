#include <handrail/train/summary.h>

#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/parallel.h>
#include <handrail/train/text.h>

namespace handrail::train {
namespace {

std::string decay_text(const optim::Optimizer& optimizer) {
  std::string text;
  for (const optim::ParamGroup& group : optimizer.groups())
    text += concat(text.empty() ? "" : ", ", group.weight_decay, " on ", group.params.size(), " tensors ('", group.name,
                   "')");
  return text;
}

const char* decay_name(Decay decay) {
  switch (decay) {
    case Decay::cosine:
      return "cosine to 0";
    case Decay::linear:
      return "linear to 0";
    case Decay::constant:
      return "constant";
  }
  return "unknown";
}

}  // namespace

std::vector<SummaryItem> summarise(const TrainerOptions& o, const Plan& plan) {
  std::vector<SummaryItem> items;
  const auto item = [&](std::string name, std::string value, bool is_off = false) {
    items.push_back({std::move(name), std::move(value), is_off});
  };
  item("model",
       concat(grouped(plan.model.parameter_count()), " parameters in ", plan.model.parameters().size(), " tensors"));
  item("data", concat(grouped(plan.loader.samples()), " samples, batches of ", o.batch_size, ", ",
                      grouped(plan.loader.size()), " steps an epoch"));
  if (plan.validation)
    item("validation", concat(grouped(plan.validation->samples()), " samples, ", plan.validation_source));
  else
    item("validation", "nothing measures generalisation", true);
  if (plan.normalization)
    item("normalization", concat("mean ", plan.normalization->mean, ", stddev ", plan.normalization->stddev,
                                 o.normalization ? ", given" : ", of the training split"));
  item("optimizer", concat(plan.optimizer.name(), ", lr ", plan.lr));
  if (o.warmup)
    item("warmup", concat(*o.warmup * 100, " % of the steps, linear from 0"));
  else
    item("warmup", "the first steps are at the full rate", true);
  item("lr decay", decay_name(o.decay), o.decay == Decay::constant);
  if (o.weight_decay)
    item("weight decay", decay_text(plan.optimizer));
  else
    item("weight decay", "weights may grow", true);
  if (o.clip_norm)
    item("clip", concat("global gradient norm at ", *o.clip_norm));
  else
    item("clip", "gradients may explode", true);
  if (o.max_non_finite)
    item("non-finite",
         concat("steps with NaN or infinity are skipped; ", *o.max_non_finite, " in a row stop training"));
  else
    item("non-finite", "NaN may reach the parameters", true);
  item("seed", concat(o.seed, ", same bits on any number of threads (now ", num_threads(), ")"));
  return items;
}

}  // namespace handrail::train
