#include <handrail/train/loader.h>

#include <algorithm>

#include <handrail/core/error.h>
#include <handrail/core/random.h>

namespace handrail::train {
namespace {

Index count_batches(Index rows, const LoaderOptions& options) {
  if (options.batch_size < 1) fail<OptionError>("Loader: want batch_size >= 1; got ", options.batch_size);
  if (rows == 0) fail<DataError>("Loader: want at least one row; got none");
  const Index full = rows / options.batch_size, rest = rows % options.batch_size;
  if (options.drop_last) {
    if (full == 0)
      fail<DataError>("Loader: drop_last leaves no batch of ", options.batch_size, " from ", rows,
                      " rows; choose a smaller batch_size");
    return full;
  }
  return full + (rest > 1 || (rest == 1 && (full == 0 || options.batch_size == 1)) ? 1 : 0);
}

}  // namespace

Loader::Loader(const Dataset& dataset, std::vector<Index> rows, LoaderOptions options)
    : dataset_(dataset),
      rows_(std::move(rows)),
      order_(rows_),
      options_(options),
      batches_(count_batches(std::ssize(rows_), options)) {}

Loader::Loader(const Dataset& dataset, LoaderOptions options) : Loader(dataset, all_rows(dataset), options) {}

Index Loader::samples() const { return options_.drop_last ? batches_ * options_.batch_size : std::ssize(rows_); }

void Loader::start_epoch(std::int64_t epoch) {
  if (!options_.shuffle_seed) return;
  std::ranges::copy(rows_, order_.begin());
  Rng rng(StreamKey{
      .seed = *options_.shuffle_seed, .stream = Stream::shuffle, .position = static_cast<std::uint64_t>(epoch)});
  rng.shuffle(std::span(order_));
}

std::span<const Index> Loader::rows(Index i) const {
  if (i < 0 || i >= batches_) fail("Loader: want a batch in [0, ", batches_, "); got ", i);
  const Index begin = i * options_.batch_size;
  const Index end = i + 1 < batches_ ? begin + options_.batch_size : samples();
  return std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

Batch Loader::batch(Index i) const {
  const auto rows_of = rows(i);
  Batch batch{Tensor(dataset_.input_shape().batch_of(std::ssize(rows_of))),
              Tensor(dataset_.target_shape().batch_of(std::ssize(rows_of)))};
  if (options_.normalization)
    dataset_.gather_normalized(rows_of, *options_.normalization, batch);
  else
    dataset_.gather(rows_of, batch);
  return batch;
}

}  // namespace handrail::train
