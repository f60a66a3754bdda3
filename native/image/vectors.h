#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/// Eight integers at a time, in the compiler's own vectors (GCC and Clang), which become whatever registers the target
/// has. What GCC 12 would take apart into scalars is written out for AVX2.
namespace cae {

using I32x8 = int32_t __attribute__((vector_size(32)));

#if !defined(__AVX2__)
using I16x8 = int16_t __attribute__((vector_size(16)));
using U8x8 = uint8_t __attribute__((vector_size(8)));
using U8x16 = uint8_t __attribute__((vector_size(16)));

template <class Vector>
Vector load(const void* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline I32x8 widened(const U8x8& v) { return __builtin_convertvector(__builtin_convertvector(v, I16x8), I32x8); }
#endif

inline I32x8 splat(int32_t value) { return I32x8{} + value; }

/// Eight bytes as integers.
inline I32x8 widenBytes(const uint8_t* from) {
#if defined(__AVX2__)
  return reinterpret_cast<I32x8>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  return widened(load<U8x8>(from));
#endif
}

/// Two RGB pixels as integers R G B X R G B X, X being anything. Reads 16 bytes.
inline I32x8 widenPixels(const uint8_t* from) {
#if defined(__AVX2__)
  const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 3, 4, 5, 6, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m128i rgb = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return reinterpret_cast<I32x8>(_mm256_cvtepu8_epi32(_mm_shuffle_epi8(rgb, places)));
#else
  const auto rgb = load<U8x16>(from);
  return widened(__builtin_shufflevector(rgb, rgb, 0, 1, 2, 3, 3, 4, 5, 6));
#endif
}

/// a a a a b b b b of two integers.
inline I32x8 eachFourTimes(const int32_t* from) {
#if defined(__AVX2__)
  const __m256i places = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m128i two = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return reinterpret_cast<I32x8>(_mm256_permutevar8x32_epi32(_mm256_castsi128_si256(two), places));
#else
  const int32_t a = from[0], b = from[1];
  return I32x8{a, a, a, a, b, b, b, b};
#endif
}

/// a's first half plus a's second half, then the same of b.
inline I32x8 addHalves(const I32x8& a, const I32x8& b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
}

/// Eight integers as bytes, cut to 0..255.
inline void storeBytes(uint8_t* to, const I32x8& v) {
#if defined(__AVX2__)
  const auto all = reinterpret_cast<__m256i>(v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
#else
  const I32x8 floor = v < 0 ? I32x8{} : v;
  const I32x8 cut = floor > 255 ? splat(255) : floor;
  const auto bytes = __builtin_convertvector(__builtin_convertvector(cut, I16x8), U8x8);
  std::memcpy(to, &bytes, sizeof bytes);
#endif
}

}  // namespace cae
