#include <cstdio>
#include <handrail/handrail.h>

using namespace handrail;

int main() {
  const train::Mnist mnist = train::load_mnist("mnist");  // a folder with the four IDX files

  Rng rng(42);
  nn::Sequential model{nn::Linear{784, 256, rng}, nn::ReLU{}, nn::Linear{256, 128, rng}, nn::ReLU{},
                       nn::Linear{128, 10, rng}};

  train::Trainer trainer{model, cross_entropy, {.epochs = 5, .batch_size = 128}};
  trainer.fit(mnist.train);
  std::printf("test accuracy %.4f\n", trainer.evaluate(mnist.test).accuracy());
  trainer.save_model("mnist.hrm");
}
