#include "lift/attention.h"

#include <gtest/gtest.h>

#include "lift/proof.h"
#include "torch/torch.h"
#include "trace/recorder.h"
#include "trace/twin.h"

namespace portwright::lift {
namespace {

using eval::Value;

/// Records forwards of three tensors, queries (2, 4, 3, 8) and keys and values
/// (2, 2, 3, 8), and lifts their attention.
class AttentionTest : public ::testing::Test {
 protected:
  AttentionTest() {
    torch::install_torch(interp_);
  }

  std::vector<Attention> lift(const std::string& body) {
    const std::string source =
        "import torch\n"
        "from torch import nn\n"
        "import torch.nn.functional as F\n\n"
        "class Attention(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.sinks = nn.Parameter(torch.ones(4))\n"
        "    def forward(self, q, k, v):\n" +
        body + "\nmodule = Attention()\n";
    const auto module = interp_.run_source(
        "attention" + std::to_string(++count_), "attention.py", source);
    const Value model = interp_.getattr(Value(module), "module");
    trace_ = record(model, mx::float32);
    interp_.call_method(model, "bfloat16");
    const auto half = trace::match(*trace_, record(model, mx::bfloat16));
    interp_.call_method(model, "float");
    const Frame& forward = forward_of(*trace_);
    inputs_ = forward.inputs;
    const Flows flows(*trace_, inputs_[0], 0, 0);
    return lift_attentions(
        interp_, *trace_, flows, make_graph(*trace_, forward), &half);
  }

  std::unique_ptr<Trace> record(const Value& model, mx::Dtype dtype) {
    trace::Recorder recorder(interp_);
    recorder.built(model);
    auto tensor = [&](int heads) {
      return Value(
          torch::make_tensor(interp_, mx::full({2, heads, 3, 8}, 0.5f, dtype)));
    };
    interp_.call(model, {tensor(4), tensor(2), tensor(2)});
    return recorder.finish();
  }

  static const Frame& forward_of(const Trace& trace) {
    return *trace::first_module(trace.root);
  }

  eval::Interpreter interp_;
  std::unique_ptr<Trace> trace_;
  std::vector<ValueId> inputs_;
  int count_ = 0;
};

TEST_F(AttentionTest, DividesByARootKeptInATensor) {
  const auto found =
      lift("        k = k.repeat_interleave(2, dim=1)\n"
           "        v = v.repeat_interleave(2, dim=1)\n"
           "        scale = torch.sqrt(torch.tensor(8, dtype=torch.float32))\n"
           "        scores = q @ k.transpose(2, 3) / scale.to(q.dtype)\n"
           "        return scores.softmax(-1) @ v\n");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NEAR(found[0].scale_value(), 1 / std::sqrt(8.0), 1e-6);
}

TEST_F(AttentionTest, TakesTorchsOwnFusedForm) {
  const auto found =
      lift("        k = k.repeat_interleave(2, dim=1)\n"
           "        v = v.repeat_interleave(2, dim=1)\n"
           "        return F.scaled_dot_product_attention(q, k, v)");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].keys, inputs_[1]);
  EXPECT_EQ(found[0].depth, 8);
  EXPECT_FLOAT_EQ(found[0].scale_value(), 1 / std::sqrt(8.0));
}

TEST_F(AttentionTest, HidesNothingByAFlag) {
  EXPECT_TRUE(lift("        v = v.repeat_interleave(2, dim=1)\n"
                   "        return F.scaled_dot_product_attention(\n"
                   "            q, q, v, is_causal=True)")
                  .empty());
}

TEST_F(AttentionTest, LooksThroughRepeatedHeads) {
  const auto found = lift(
      "        k = k[:, :, None].expand(2, 2, 2, 3, 8).reshape(2, 4, 3, 8)\n"
      "        v = v.repeat_interleave(2, dim=1)\n"
      "        s = q @ k.transpose(-1, -2) * 0.25\n"
      "        return torch.softmax(s, dim=-1) @ v");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].keys, inputs_[1]);
  EXPECT_EQ(found[0].values, inputs_[2]);
  EXPECT_DOUBLE_EQ(found[0].scale_value(), 0.25);
}

TEST_F(AttentionTest, KnowsProductsBySummedIndices) {
  const auto found =
      lift("        k = k.repeat_interleave(2, dim=1)\n"
           "        v = v.repeat_interleave(2, dim=1)\n"
           "        s = torch.einsum('bhqd,bhkd->bhqk', q, k) * 0.25\n"
           "        p = torch.softmax(s, dim=-1)\n"
           "        return torch.einsum('bhqk,bhkd->bhqd', p, v)");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].queries, inputs_[0]);
  EXPECT_EQ(found[0].keys, inputs_[1]);
  EXPECT_EQ(found[0].values, inputs_[2]);
}

TEST_F(AttentionTest, RefusesOtherSumsOfIndices) {
  const auto found =
      lift("        k = k.repeat_interleave(2, dim=1)\n"
           "        v = v.repeat_interleave(2, dim=1)\n"
           "        s = torch.einsum('bhqd,bhkd->bhkq', q, k)\n"
           "        p = torch.softmax(s, dim=-1)\n"
           "        return torch.einsum('bhqk,bhkd->bhqd', p, v)");
  EXPECT_TRUE(found.empty());
}

TEST_F(AttentionTest, LeavesHeadsThatAreTiled) {
  const auto found =
      lift("        k = k[:, None].expand(2, 2, 2, 3, 8).reshape(2, 4, 3, 8)\n"
           "        v = v[:, None].expand(2, 2, 2, 3, 8).reshape(2, 4, 3, 8)\n"
           "        s = q @ k.transpose(-1, -2)\n"
           "        return torch.softmax(s, dim=-1) @ v");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].keys, inputs_[1]);
  EXPECT_NE(found[0].values, inputs_[2]);
}

TEST_F(AttentionTest, KnowsSinks) {
  const auto found = lift(
      "        k, v = (x.repeat_interleave(2, dim=1) for x in (k, v))\n"
      "        s = q @ k.transpose(-1, -2)\n"
      "        sinks = self.sinks.reshape(1, -1, 1, 1).expand(2, -1, 3, -1)\n"
      "        s = torch.cat([s, sinks], dim=-1)\n"
      "        s = s - s.max(dim=-1, keepdim=True).values\n"
      "        return F.softmax(s, dim=-1)[..., :-1] @ v");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(trace_->info(found[0].sinks).parameter, "sinks");
}

TEST_F(AttentionTest, KnowsBatchedProducts) {
  const auto found = lift(
      "        k, v = (x.repeat_interleave(2, dim=1) for x in (k, v))\n"
      "        q, k, v = (x.reshape(8, 3, 8) for x in (q, k, v))\n"
      "        bias = v.sum(-1)[:, None]\n"
      "        s = bias.baddbmm(q, k.transpose(-1, -2), beta=1.0, alpha=0.5)\n"
      "        p = torch.softmax(s.view(2, 4, 3, 3), dim=-1).view(8, 3, 3)\n"
      "        return torch.bmm(p, v).view(2, 4, 3, 8)");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].queries, inputs_[0]);
  EXPECT_EQ(found[0].biases.size(), 1u);
  EXPECT_DOUBLE_EQ(found[0].scale_value(), 0.5);
}

TEST_F(AttentionTest, RefusesWhatIsNoSoftmaxOverTheKeys) {
  EXPECT_TRUE(
      lift("        k, v = (x.repeat_interleave(2, 1) for x in (k, v))\n"
           "        s = q @ k.transpose(-1, -2)\n"
           "        return torch.softmax(s, dim=-2) @ v")
          .empty());
}

TEST_F(AttentionTest, RefusesABiasThatIsScaled) {
  EXPECT_TRUE(
      lift("        k, v = (x.repeat_interleave(2, 1) for x in (k, v))\n"
           "        bias = v.sum(-1)[:, :, None]\n"
           "        s = (q @ k.transpose(-1, -2) + bias) * 0.5\n"
           "        return torch.softmax(s, dim=-1) @ v")
          .empty());
}

TEST_F(AttentionTest, KnowsOneThatComputesInFloat32) {
  EXPECT_EQ(
      lift("        k, v = (x.repeat_interleave(2, 1) for x in (k, v))\n"
           "        s = q.float() @ k.float().transpose(-1, -2) * 0.25\n"
           "        p = torch.softmax(s, dim=-1)\n"
           "        return (p @ v.float()).to(q.dtype)")
          .size(),
      1u);
}

TEST_F(AttentionTest, FindsTheKeysThatAnIndexKeeps) {
  trace::Recorder recorder(interp_);
  const auto module = interp_.run_source(
      "transformers.cache_utils",
      "cache_utils.py",
      "import torch\n"
      "from torch import nn\n\n"
      "class Layer:\n"
      "    def update_indexer(self, keys):\n"
      "        return torch.cat([keys, keys], dim=1)\n\n"
      "class Cache:\n"
      "    def __init__(self):\n"
      "        self.layer = Layer()\n"
      "    def update_indexer(self, keys):\n"
      "        return self.layer.update_indexer(keys)\n\n"
      "class Indexer(nn.Module):\n"
      "    def forward(self, x, cache):\n"
      "        return cache.update_indexer(x * 2)\n\n"
      "module, cache = Indexer(), Cache()\n");
  const Value model = interp_.getattr(Value(module), "module");
  recorder.built(model);
  interp_.call(
      model,
      {Value(torch::make_tensor(interp_, mx::full({2, 3, 8}, 0.5f))),
       interp_.getattr(Value(module), "cache")});
  trace_ = recorder.finish();
  const Frame& forward = forward_of(*trace_);
  EXPECT_TRUE(updates_index(forward));
  EXPECT_FALSE(updates_keys(forward));
  const auto found = find_cache_updates(make_graph(*trace_, forward));
  ASSERT_EQ(found.size(), 1u);  // not the layer's own once more
  EXPECT_EQ(trace_->info(found[0].keys).shape, (torch::Sizes{2, 3, 8}));
  EXPECT_EQ(trace_->info(found[0].all_keys).shape, (torch::Sizes{2, 6, 8}));
  EXPECT_EQ(found[0].values, 0u);
}

}  // namespace
}  // namespace portwright::lift
