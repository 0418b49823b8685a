#include <handrail/train/report/html/internal/curve.h>

namespace handrail::train::html {

void Curve::begin(std::int64_t step) {
  while (buckets_.size() >= max_buckets_) double_stride();
  // After a doubling the step may belong to the last bucket.
  if (!buckets_.empty() && step / stride_ == buckets_.back().first / stride_) {
    end_ = (step / stride_ + 1) * stride_;
    return;
  }
  buckets_.push_back({.first = step, .last = step});
  end_ = (step / stride_ + 1) * stride_;
}

void Curve::double_stride() {
  stride_ *= 2;
  std::size_t kept = 0;
  for (std::size_t i = 1; i < buckets_.size(); ++i) {
    if (buckets_[i].first / stride_ == buckets_[kept].first / stride_)
      buckets_[kept].add(buckets_[i]);
    else
      buckets_[++kept] = buckets_[i];
  }
  buckets_.resize(kept + 1, {.first = 0, .last = 0});
}

}  // namespace handrail::train::html
