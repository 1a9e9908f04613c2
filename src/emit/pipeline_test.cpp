#include "emit/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portwright::emit {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::Not;

using Lines = std::vector<std::string>;

/// A model of a plain stack, whose layers have experts.
struct Model {
  std::string experts = "SwitchGLU(args.dim, args.wide, args.n)";
  Lines init = {"self.layers = [Layer(args) for i in range(args.n)]"};
  Lines call = {
      "h = self.embed(inputs)",
      "if cache is None:",
      "    cache = [None] * len(self.layers)",
      "mask = create_attention_mask(h, cache[0])",
      "for layer, c in zip(self.layers, cache):",
      "    h = layer(h, mask, c)",
      "return self.norm(h)"};
  std::string make_cache;  // "" for none

  std::vector<ClassText> classes() const {
    ClassText layer, stack, root;
    layer.name = "Layer";
    layer.init = {"self.experts = " + experts};
    stack.name = "Stack";
    stack.init = init;
    stack.call = call;
    root.name = "Model";
    root.init = {"self.model = Stack(args)"};
    root.methods = {
        "@property\ndef layers(self):\n    return self.model.layers\n"};
    if (!make_cache.empty()) {
      root.methods.push_back(
          "def make_cache(self):\n    return [" + make_cache + "]\n");
    }
    return {layer, stack, root};
  }
};

constexpr const char* kSlides =
    "RotatingKVCache(self.args.window) if kind == \"sliding_attention\" else "
    "KVCache() for kind in self.args.layer_types";

/// Layers of two kinds.
Model by_kind(const char* make_cache) {
  Model model;
  model.init.emplace_back("self.layer_types = args.layer_types");
  model.make_cache = make_cache;
  model.call = {
      "if cache is None:",
      "    cache = [None] * len(self.layers)",
      "masks = {}",
      "for kind, c in zip(self.layer_types, cache):",
      "    masks[kind] = create_attention_mask(h, c)",
      "for layer, c, kind in zip(self.layers, cache, self.layer_types):",
      "    h = layer(h, masks[kind], c)",
      "return self.norm(h)"};
  return model;
}

/// The stack's forward; empty where machines do not share its layers.
Lines shared(const Model& model) {
  auto classes = model.classes();
  return add_pipeline(classes) ? classes[1].call : Lines{};
}

TEST(Pipeline, StatesGoFromMachineToMachine) {
  auto classes = Model().classes();
  ASSERT_TRUE(add_pipeline(classes));
  EXPECT_EQ(classes[1].bases, "PipelineMixin, nn.Module");
  EXPECT_EQ(
      classes[1].call,
      (Lines{
          "h = self.embed(inputs)",
          "if cache is None:",
          "    cache = [None] * len(self.pipeline_layers)",
          "mask = create_attention_mask(h, cache[0])",
          "# Receive from the previous process in the pipeline",
          "if self.pipeline_rank < self.pipeline_size - 1:",
          "    h = mx.distributed.recv_like(h, self.pipeline_rank + 1)",
          "",
          "for layer, c in zip(self.pipeline_layers, cache):",
          "    h = layer(h, mask, c)",
          "",
          "# Send to the next process in the pipeline",
          "if self.pipeline_rank != 0:",
          "    h = mx.distributed.send(h, self.pipeline_rank - 1)",
          "    if cache[-1] is not None:",
          "        cache[-1].keys = mx.depends(cache[-1].keys, h)",
          "",
          "# Broadcast h while keeping it in the graph",
          "if self.pipeline_size > 1:",
          "    h = mx.distributed.all_gather(h)[: h.shape[0]]",
          "return self.norm(h)"}));
  EXPECT_THAT(
      classes[2].methods,
      Contains("@property\ndef layers(self):\n"
               "    return self.model.pipeline_layers\n"));
}

TEST(Pipeline, AMachineHasTheKindsOfItsLayers) {
  auto classes = by_kind(kSlides).classes();
  ASSERT_TRUE(add_pipeline(classes));
  EXPECT_THAT(
      classes[1].methods,
      Contains("def pipeline(self, group, split=None):\n"
               "    super().pipeline(group, split=split)\n"
               "    self.layer_types = "
               "self.layer_types[self.start_idx : self.end_idx]\n"));
  EXPECT_THAT(
      classes[2].methods.back(),
      testing::HasSubstr("for kind in self.model.layer_types"));
}

TEST(Pipeline, WhatTheLastLayerHasWrittenWaitsForTheSending) {
  EXPECT_THAT(
      shared(by_kind("ArraysCache(size=2) if kind == \"conv\" else KVCache() "
                     "for kind in self.args.layer_types")),
      IsSupersetOf(
          {"    if isinstance(cache[-1], ArraysCache):",
           "        cache[-1][0] = mx.depends(cache[-1][0], h)",
           "    elif cache[-1] is not None:"}));
  Model pairs;
  pairs.make_cache = "CacheList(ArraysCache(size=2), KVCache()) for _ in "
                     "self.layers";
  pairs.call[2] = "    cache = [(None, None)] * len(self.layers)";
  pairs.call[3] = "mask = create_attention_mask(h, cache[0][1])";
  EXPECT_THAT(
      shared(pairs),
      IsSupersetOf(
          {"    if cache[-1][1] is not None:",
           "        cache[-1][1].keys = mx.depends(cache[-1][1].keys, h)"}));
  EXPECT_THAT(
      shared(by_kind("CacheList(KVCache(), KVCache()) if kind == \"indexed\" "
                     "else KVCache() for kind in self.args.layer_types")),
      IsSupersetOf(
          {"    last = cache[-1][0] if isinstance(cache[-1], CacheList) else "
           "cache[-1]",
           "    if last is not None:"}));
}

TEST(Pipeline, IsForExpertsAlone) {
  Model dense;
  dense.experts = "nn.Linear(args.dim, args.wide)";
  EXPECT_TRUE(shared(dense).empty());
}

TEST(Pipeline, NothingElseGoesFromLayerToLayer) {
  const auto with = [](size_t line, std::string text) {
    Model model;
    model.call[line] = std::move(text);
    return model;
  };
  EXPECT_TRUE(shared(with(5, "    h, keys = layer(h, keys, mask, c)")).empty());
  // ... nor does a layer read what belongs to its number, or to another one.
  EXPECT_TRUE(
      shared(
          with(4, "for i, (layer, c) in enumerate(zip(self.layers, cache)):"))
          .empty());
  EXPECT_TRUE(shared(with(3, "caches = iter(cache)")).empty());
  EXPECT_TRUE(shared(with(6, "return h + cache[0].offset")).empty());
  Model longer;
  longer.call.insert(longer.call.begin() + 6, "    states.append(h)");
  EXPECT_TRUE(shared(longer).empty());
}

TEST(Pipeline, NoMachineIsWithoutACache) {
  const Model some =
      by_kind("KVCache() for kind in self.args.layer_types if kind != \"mlp\"");
  EXPECT_TRUE(shared(some).empty());
}

TEST(Pipeline, TheFirstCacheStandsForAllThatAreAlike) {
  Model model = by_kind(
      "ArraysCache(size=2) if kind == \"conv\" else KVCache() for kind in "
      "self.args.layer_types");
  model.call.insert(model.call.begin(), "offset = cache[0].offset");
  EXPECT_TRUE(shared(model).empty());
}

TEST(Pipeline, IsWhereTheLibraryLooksForIt) {
  auto classes = Model().classes();
  classes[2].init = {"self.transformer = Stack(args)"};
  classes[2].methods = {
      "@property\ndef layers(self):\n    return self.transformer.layers\n"};
  EXPECT_FALSE(add_pipeline(classes));
  EXPECT_THAT(classes[1].call, Not(Contains("if self.pipeline_size > 1:")));
}

}  // namespace
}  // namespace portwright::emit
