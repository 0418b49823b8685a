#include "tasks.h"

#include <cmath>
#include <filesystem>
#include <numbers>

namespace faulty_runs {
Task divide(Task task, const Table& all, Index validation, Index test, bool standardise) {
  const std::vector<Index> order = numbers(all.rows());
  task.test = pick(all, {order.begin(), order.begin() + test});
  task.validation = pick(all, {order.begin() + test, order.begin() + test + validation});
  task.train = pick(all, {order.begin() + test + validation, order.end()});
  if (!standardise) return task;
  const auto inputs = nn::Standardize::fit(task.train.x);
  for (Table* table : {&task.train, &task.validation, &task.test}) table->x = inputs(table->x);
  if (task.kind != train::Task::regression) return task;
  const auto targets = nn::Standardize::fit(task.train.y);
  for (Table* table : {&task.train, &task.validation, &task.test}) table->y = targets(table->y);
  return task;
}

Scalar& at(const Tensor& x, Index row, Index column) { return x.mutable_data()[row * x.shape()[1] + column]; }

namespace {

// The embedded digits of 8 x 8 pixels in another order for each seed, normalised by one mean and one deviation: some
// pixels are hardly ever used.
Task digits(std::uint64_t seed, Index /*size*/) {
  constexpr double mean = 0.305, deviation = 0.376;  // of a pixel from 0 to 1
  const std::filesystem::path dir = EXAMPLES_DATA;
  const auto bytes = train::load_idx(dir / "digits-images-idx3-ubyte", dir / "digits-labels-idx1-ubyte",
                                     {.classes = 10, .flatten = true});
  Rng rng(seed);
  const train::Batch all = train::first_samples(bytes, bytes.size());
  const Tensor x = (all.inputs * (255.0 / 16) - mean) / deviation;
  return divide({.kind = train::Task::multiclass, .outputs = 10, .hidden = {64, 32}, .epochs = 20},
                pick({x, all.targets}, shuffled(bytes.size(), rng)), 200, 700, false);
}

struct Clusters {
  Index rows, columns, informative, classes, centers;  // centers of each class
  double distance;                                     // of a center from the middle, along each informative column
};

// Normal clouds around random centers, several of each class.
Table clusters(const Clusters& c, std::uint64_t seed) {
  Rng rng(seed);
  const Tensor centers = normal({c.classes * c.centers, c.informative}, 0, c.distance, rng);
  const Tensor x = normal({c.rows, c.columns}, 0, 1, rng), y(Shape{c.rows});
  for (Index i = 0; i < c.rows; ++i) {
    const auto center = static_cast<Index>(rng.below(static_cast<std::uint64_t>(c.classes * c.centers)));
    y.mutable_data()[i] = static_cast<Scalar>(center % c.classes);
    for (Index j = 0; j < c.informative; ++j) at(x, i, j) += centers.at({center, j});
  }
  return {x, y};
}

Task clusters(std::uint64_t seed, Index size) {
  return divide({.kind = train::Task::multiclass, .outputs = 4, .hidden = {32, 32}, .epochs = 20},
                clusters({.rows = 800 * size + 250 + test_rows,
                          .columns = 12,
                          .informative = 10,
                          .classes = 4,
                          .centers = 3,
                          .distance = 1.2},
                         seed),
                250, test_rows);
}

Task wide(std::uint64_t seed, Index size) {
  return divide({.kind = train::Task::multiclass, .outputs = 5, .hidden = {48}, .epochs = 20},
                clusters({.rows = 900 * size + 250 + test_rows,
                          .columns = 100,
                          .informative = 20,
                          .classes = 5,
                          .centers = 1,
                          .distance = 0.9},
                         seed),
                250, test_rows);
}

Task tiny(std::uint64_t seed, Index size) {
  return divide({.kind = train::Task::multiclass, .outputs = 3, .hidden = {16}, .epochs = 60},
                clusters({.rows = 120 * size + 60 + test_rows,
                          .columns = 4,
                          .informative = 4,
                          .classes = 3,
                          .centers = 1,
                          .distance = 1.6},
                         seed),
                60, test_rows);
}

// A disc and the ring around it, turned into a space of six columns by two random directions, with noise columns.
Task rings(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 800 * size + 250 + test_rows;
  const Tensor x = normal({rows, 6}, 0, 0.3, rng), y({rows, 1}), to = normal({2, 6}, 0, 1, rng);
  for (Index i = 0; i < rows; ++i) {
    const double ring = rng.below(2) == 0 ? 0 : 1, turn = rng.uniform(0, 2 * std::numbers::pi);
    const double radius = 0.7 + 1.6 * ring + 0.3 * rng.normal();
    y.mutable_data()[i] = static_cast<Scalar>(ring);
    for (Index j = 0; j < 6; ++j)
      at(x, i, j) += static_cast<Scalar>(radius * (std::cos(turn) * static_cast<double>(to.at({0, j})) +
                                                   std::sin(turn) * static_cast<double>(to.at({1, j}))));
  }
  return divide({.kind = train::Task::binary, .outputs = 1, .hidden = {32, 32}, .epochs = 30}, {x, y}, 250, test_rows);
}

// About one row in seven is of class 1, where two products of columns are large.
Task imbalanced(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 1000 * size + 300 + test_rows;
  const Tensor x = normal({rows, 8}, 0, 1, rng), y({rows, 1}), by = normal({1, 8}, 0, 1, rng);
  for (Index i = 0; i < rows; ++i) {
    double sum = 0;
    for (Index j = 0; j < 8; ++j) sum += static_cast<double>(at(x, i, j) * by.at({0, j}));
    sum += 1.5 * static_cast<double>(at(x, i, 0) * at(x, i, 1)) + 0.5 * rng.normal();
    y.mutable_data()[i] = sum > 3.3 ? 1 : 0;
  }
  return divide({.kind = train::Task::binary, .outputs = 1, .hidden = {32}, .epochs = 20}, {x, y}, 300, test_rows);
}

// Friedman 1991, "Multivariate adaptive regression splines", section 4.3: five columns count, five do not.
Task friedman(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 800 * size + 250 + test_rows;
  const Tensor x = uniform({rows, 10}, 0, 1, rng), y({rows, 1});
  for (Index i = 0; i < rows; ++i) {
    const auto v = [&](Index j) { return static_cast<double>(at(x, i, j)); };
    y.mutable_data()[i] = static_cast<Scalar>(10 * std::sin(std::numbers::pi * v(0) * v(1)) +
                                              20 * std::pow(v(2) - 0.5, 2) + 10 * v(3) + 5 * v(4) + rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {32, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

Task waves(std::uint64_t seed, Index size) {
  Rng rng(seed);
  const Index rows = 900 * size + 250 + test_rows;
  const Tensor x = normal({rows, 4}, 0, 1, rng), y({rows, 1});
  const double turn = rng.uniform(0.8, 1.6);
  for (Index i = 0; i < rows; ++i) {
    const auto v = [&](Index j) { return static_cast<double>(at(x, i, j)); };
    y.mutable_data()[i] =
        static_cast<Scalar>(std::sin(turn * v(0)) + std::tanh(v(0) * v(1)) - 0.5 * v(2) + 0.3 * rng.normal());
  }
  return divide({.kind = train::Task::regression, .outputs = 1, .hidden = {32, 32}, .epochs = 30}, {x, y}, 250,
                test_rows);
}

}  // namespace

const std::vector<TaskKind>& tasks() {
  static const std::vector<TaskKind> all = [] {
    std::vector<TaskKind> list{
        {"digits", train::Task::multiclass, digits},     {"clusters", train::Task::multiclass, clusters},
        {"wide", train::Task::multiclass, wide},         {"tiny", train::Task::multiclass, tiny},
        {"rings", train::Task::binary, rings},           {"imbalanced", train::Task::binary, imbalanced},
        {"friedman", train::Task::regression, friedman}, {"waves", train::Task::regression, waves}};
    for (const auto& more : {fresh_tasks(), variant_tasks(), unseen_tasks(), novel_tasks()})
      list.insert(list.end(), more.begin(), more.end());
    return list;
  }();
  return all;
}

}  // namespace faulty_runs
