#include <handrail/train/options.h>

#include <cmath>
#include <sstream>

#include <handrail/core/error.h>

namespace handrail::train {

void validate(const TrainerOptions& o) {
  std::ostringstream wrong;
  constexpr Index most_epochs = 1'000'000'000;
  if (o.epochs < 1 || o.epochs > most_epochs)
    wrong << "\n  want epochs in [1, " << most_epochs << "]; got " << o.epochs;
  if (o.batch_size < 1) wrong << "\n  want batch_size >= 1; got " << o.batch_size;
  if (o.lr && !(*o.lr > 0 && std::isfinite(*o.lr))) wrong << "\n  want lr > 0; got " << *o.lr;
  if (o.warmup && !(*o.warmup >= 0.01 && *o.warmup <= 0.1))
    wrong << "\n  want warmup in [0.01, 0.1] of the planned steps; got " << *o.warmup << "; off is without";
  if (o.weight_decay && !(*o.weight_decay >= 0 && std::isfinite(*o.weight_decay)))
    wrong << "\n  want weight_decay >= 0; got " << *o.weight_decay;
  if (o.clip_norm && !(*o.clip_norm > 0)) wrong << "\n  want clip_norm > 0; got " << *o.clip_norm << "; off is without";
  if (o.validation_split && !(*o.validation_split > 0 && *o.validation_split < 1))
    wrong << "\n  want validation_split in (0, 1); got " << *o.validation_split << "; off is without";
  if (o.max_non_finite && *o.max_non_finite < 1) wrong << "\n  want max_non_finite >= 1; got " << *o.max_non_finite;
  if (o.normalization && !(o.normalization->stddev > 0 && std::isfinite(o.normalization->mean)))
    wrong << "\n  want normalization with a finite mean and stddev > 0; got " << o.normalization->mean << " and "
          << o.normalization->stddev;
  for (const auto& sink : o.sinks)
    if (!sink) wrong << "\n  want sinks that are not null";
  if (!wrong.str().empty()) fail<OptionError>("TrainerOptions:", wrong.str());
}

}  // namespace handrail::train
