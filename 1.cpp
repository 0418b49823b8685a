#include <cstdio>
#include <handrail/handrail.h>

using namespace handrail;

int main() {
  Rng rng(0);  // the weights come from the file
  nn::Sequential model{nn::Linear{784, 256, rng}, nn::ReLU{}, nn::Linear{256, 128, rng}, nn::ReLU{},
                       nn::Linear{128, 10, rng}};
  train::Trainer trainer{model, cross_entropy, {.epochs = 1}};
  trainer.load_model("mnist.hrm");

  const train::ByteDataset test = train::load_mnist("mnist").test;
  std::printf("test accuracy %.4f\n", trainer.evaluate(test).accuracy());
  std::printf("the first image is a %td\n", train::argmax(trainer.predict(test))[0]);
}
