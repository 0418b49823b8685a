#include <handrail/optim/clip.h>

#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/core/system/finite.h>

namespace handrail::optim {

double clip_scale(double norm, double max_norm) {
  if (!is_finite(norm)) fail<DataError>("clip_scale: want a finite gradient norm; got ", norm, "; skip this step");
  if (!(max_norm > 0)) fail<OptionError>("clip_scale: want max_norm > 0; got ", max_norm);
  return std::min(1.0, max_norm / (norm + 1e-6));
}

}  // namespace handrail::optim
