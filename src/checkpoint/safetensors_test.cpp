#include "checkpoint/safetensors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "base/paths.h"

namespace portwright::checkpoint {
namespace {

std::string file_of(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  }
  return out + header + data;
}

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string error_of(const std::string& file) {
  const auto parsed = parse_safetensors(bytes(file), "f");
  return parsed ? "" : parsed.error().message;
}

std::string one(const std::string& entry) {
  return R"({"w":)" + entry + "}";
}

TEST(Safetensors, ReadsWhatItWrites) {
  auto folder = base::TemporaryDirectory::create("safetensors");
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "a.safetensors";
  const std::vector<float> values = {1, -2, 3.5, 0, 5, 6};
  const Tensors tensors = {
      {"w", {Dtype::F32, {2, 3}, std::as_bytes(std::span(values))}},
      {"empty", {Dtype::I64, {0}, {}}}};
  ASSERT_TRUE(write_safetensors(path, tensors, {{"format", "pt"}}));
  const auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata().at("format"), "pt");
  ASSERT_EQ(file->tensors().size(), 2u);
  const TensorView* w = file->find("w");
  EXPECT_EQ(w->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(to_floats(*w), values);
  EXPECT_EQ(file->find("empty")->size(), 0);
  EXPECT_EQ(file->find("absent"), nullptr);
}

TEST(Safetensors, NamesWhatIsWrong) {
  EXPECT_EQ(error_of("abc"), "f: 3 bytes are too few for a safetensors file");
  EXPECT_EQ(
      error_of(file_of("{}", "").substr(0, 9)),
      "f: the header needs 2 bytes, the file has 1: it is truncated");
  EXPECT_EQ(
      error_of(std::string(8, '\xff') + "{}"),
      "f: a header of 18446744073709551615 bytes is not plausible");
  EXPECT_EQ(error_of(file_of("{", "")), "f: the header is not valid JSON");
  EXPECT_EQ(error_of(file_of("[]", "")), "f: the header is not a JSON object");
  EXPECT_EQ(
      error_of(file_of(one("3"), "")),
      "f: tensor 'w': needs dtype, shape and data_offsets");
  EXPECT_EQ(
      error_of(file_of(
          one(R"({"dtype":"F7","shape":[1],"data_offsets":[0,4]})"), "1234")),
      "f: tensor 'w': unknown dtype \"F7\"");
  EXPECT_EQ(
      error_of(file_of(
          one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), "1234")),
      "f: tensor 'w': the shape holds -1");
  EXPECT_EQ(
      error_of(file_of(
          one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"), "1234")),
      "f: tensor 'w': data_offsets are not two ascending positions");
  EXPECT_EQ(
      error_of(file_of(
          one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "1234")),
      "f: tensor 'w': data ends at byte 8 of 4: the file is truncated");
  EXPECT_EQ(
      error_of(file_of(
          one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), "1234")),
      "f: tensor 'w': F32 [2] does not fill its 4 bytes");
}

TEST(Safetensors, ShapesThatOverflowAreRefused) {
  EXPECT_EQ(
      error_of(file_of(
          one(R"({"dtype":"F32","shape":[4294967296,4294967296,4294967296],)"
              R"("data_offsets":[0,0]})"),
          "")),
      "f: tensor 'w': F32 [4294967296,4294967296,4294967296] does not fill its "
      "0 bytes");
}

TEST(Safetensors, LayoutWithoutOverlapsAndHoles) {
  const auto header = [](const char* a, const char* b) {
    return fmt::format(
        R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":{}}},)"
        R"("b":{{"dtype":"U8","shape":[2],"data_offsets":{}}}}})",
        a,
        b);
  };
  EXPECT_EQ(error_of(file_of(header("[0,2]", "[2,4]"), "1234")), "");
  EXPECT_EQ(
      error_of(file_of(header("[0,2]", "[1,3]"), "1234")),
      "f: tensor 'b' overlaps another (it begins at byte 1, expected 2)");
  EXPECT_EQ(
      error_of(file_of(header("[0,2]", "[3,5]"), "12345")),
      "f: tensor 'b' leaves a hole before it (it begins at byte 3, expected "
      "2)");
  EXPECT_EQ(
      error_of(file_of(header("[0,2]", "[2,4]"), "123456")),
      "f: 2 bytes after the last tensor");
}

TEST(Safetensors, ANameListedTwiceIsRefused) {
  const std::string entry =
      R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_EQ(
      error_of(file_of(R"({"w":)" + entry + R"(,"w":)" + entry + "}", "")),
      "f: tensor 'w' is listed twice");
}

TEST(Safetensors, FindsNotANumber) {
  const std::vector<float> bad = {
      1, 2, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(
      first_not_finite({Dtype::F32, {3}, std::as_bytes(std::span(bad))}), 2);
  const std::vector<uint16_t> halves = {0x3c00, 0x7c00};
  EXPECT_EQ(
      first_not_finite({Dtype::F16, {2}, std::as_bytes(std::span(halves))}), 1);
  EXPECT_EQ(
      first_not_finite({Dtype::BF16, {2}, std::as_bytes(std::span(halves))}),
      std::nullopt);
}

TEST(Safetensors, SmallFloatsHaveTheirValues) {
  const std::vector<uint8_t> e4m3 = {0x38, 0xb8, 0x7e, 0x01};
  const auto values =
      to_floats({Dtype::F8E4M3, {4}, std::as_bytes(std::span(e4m3))});
  EXPECT_EQ(*values, (std::vector<float>{1, -1, 448, 0.001953125f}));
  const std::vector<uint16_t> half = {0x3555, 0x0001, 0xc000};
  const auto halves =
      to_floats({Dtype::F16, {3}, std::as_bytes(std::span(half))});
  EXPECT_THAT(
      *halves,
      testing::ElementsAre(
          testing::FloatEq(0.33325195f), testing::FloatEq(5.9604645e-8f), -2));
}

// Whatever the bytes are, reading ends with tensors inside the file or an
// error.
TEST(Safetensors, DamagedFilesNeverReachOutside) {
  const std::string entry =
      R"("a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]})";
  const std::string good = file_of("{" + entry + "}", std::string(22, 'x'));
  ASSERT_EQ(error_of(good), "");
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string file = good;
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < edits; ++i) {
      file[random() % file.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) {
      file.resize(random() % file.size());
    }
    const auto parsed = parse_safetensors(bytes(file), "f");
    if (!parsed) {
      continue;
    }
    for (const auto& [name, view] : parsed->tensors) {
      if (!view.data.empty()) {
        ASSERT_GE(view.data.data(), bytes(file).data());
        ASSERT_LE(
            view.data.data() + view.data.size(),
            bytes(file).data() + file.size());
      }
    }
  }
}

TEST(Checkpoint, ReadsShardsAndRefusesPathsOutside) {
  auto folder = base::TemporaryDirectory::create("checkpoint");
  ASSERT_TRUE(folder);
  const std::vector<float> v = {1};
  const TensorView view{Dtype::F32, {1}, std::as_bytes(std::span(v))};
  const auto shard = folder->path() / "model-00001-of-00002.safetensors";
  ASSERT_TRUE(write_safetensors(shard, {{"a", view}}));
  ASSERT_TRUE(write_safetensors(
      folder->path() / "model-00002-of-00002.safetensors", {{"b", view}}));
  auto all = Checkpoint::open(folder->path());
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->tensors().size(), 2u);

  const auto index = folder->path() / "model.safetensors.index.json";
  ASSERT_TRUE(
      base::write_file(index, R"({"weight_map":{"a":"../x.safetensors"}})"));
  const auto outside = Checkpoint::open(folder->path());
  ASSERT_FALSE(outside);
  EXPECT_THAT(
      outside.error().message,
      testing::EndsWith("'../x.safetensors' lies outside the checkpoint"));
}

TEST(Checkpoint, SaysWhatADirectoryLacks) {
  auto folder = base::TemporaryDirectory::create("checkpoint");
  ASSERT_TRUE(folder);
  const auto none = Checkpoint::open(folder->path());
  ASSERT_FALSE(none);
  EXPECT_THAT(
      none.error().message, testing::EndsWith(": no model*.safetensors"));
}

}  // namespace
}  // namespace portwright::checkpoint
