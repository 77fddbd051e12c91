/// ChaCha20-Poly1305 where the bytes are: the one seam between Noise and whoever computes the cipher.
///
/// swift-crypto's public interface returns new `Data` from every call and sets the key up again each time: 1.5 µs to
/// seal 1 KiB, of which a third is the cipher. The same package's BoringSSL, called directly, writes where it is
/// told. Risk: that module is not a promised interface, and a release may hide it; then `canImport` chooses the
/// public one, which is slower and otherwise the same. Both pass the same vectors.

#if canImport(CCryptoBoringSSL)
  import CCryptoBoringSSL
#else
  import Crypto

  #if canImport(FoundationEssentials)
    import FoundationEssentials
  #else
    import Foundation
  #endif
#endif

/// A key, set up once. Immutable, so that it may be shared.
@safe final class Aead: @unchecked Sendable {
  static let tagSize = 16
  static let nonceSize = 12

  #if canImport(CCryptoBoringSSL)
    private let context: UnsafeMutablePointer<EVP_AEAD_CTX>

    /// - Parameter key: 32 bytes.
    init(_ key: [UInt8]) {
      precondition(key.count == 32, "a ChaCha20-Poly1305 key of \(key.count) bytes")
      unsafe context = .allocate(capacity: 1)
      unsafe context.initialize(to: EVP_AEAD_CTX())
      let isSetUp = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_init(
        context, CCryptoBoringSSL_EVP_aead_chacha20_poly1305(), key, key.count, Aead.tagSize, nil)
      precondition(isSetUp == 1, "BoringSSL refused a ChaCha20-Poly1305 key")
    }

    deinit {
      unsafe CCryptoBoringSSL_EVP_AEAD_CTX_cleanup(context)
      unsafe context.deallocate()
    }

    /// Writes ciphertext and tag, 16 bytes more than `plaintext`, to `out`.
    func seal(
      _ plaintext: UnsafeRawBufferPointer, _ nonce: [UInt8], _ data: [UInt8],
      into out: UnsafeMutableRawBufferPointer
    ) {
      var written = 0
      let isSealed = unsafe CCryptoBoringSSL_EVP_AEAD_CTX_seal(
        context, out.bindMemory(to: UInt8.self).baseAddress, &written, out.count, nonce, nonce.count,
        plaintext.bindMemory(to: UInt8.self).baseAddress, plaintext.count, data, data.count)
      precondition(isSealed == 1, "sealing \(plaintext.count) bytes into \(out.count)")
    }

    /// Writes the plaintext of `sealed`, 16 bytes less, to `out`.
    /// - Returns: whether the tag is right; `out` holds nothing of meaning if not.
    func open(
      _ sealed: UnsafeRawBufferPointer, _ nonce: [UInt8], _ data: [UInt8],
      into out: UnsafeMutableRawBufferPointer
    ) -> Bool {
      var written = 0
      return unsafe CCryptoBoringSSL_EVP_AEAD_CTX_open(
        context, out.bindMemory(to: UInt8.self).baseAddress, &written, out.count, nonce, nonce.count,
        sealed.bindMemory(to: UInt8.self).baseAddress, sealed.count, data, data.count) == 1
    }
  #else
    private let key: SymmetricKey

    init(_ key: [UInt8]) {
      precondition(key.count == 32, "a ChaCha20-Poly1305 key of \(key.count) bytes")
      self.key = SymmetricKey(data: key)
    }

    func seal(
      _ plaintext: UnsafeRawBufferPointer, _ nonce: [UInt8], _ data: [UInt8],
      into out: UnsafeMutableRawBufferPointer
    ) {
      do {
        let box = try unsafe ChaChaPoly.seal(
          plaintext, using: key, nonce: ChaChaPoly.Nonce(data: nonce), authenticating: data)
        // The combined form starts with the nonce.
        unsafe out.copyBytes(from: box.combined.dropFirst(Aead.nonceSize))
      } catch {
        preconditionFailure("sealing \(plaintext.count) bytes: \(error)")
      }
    }

    func open(
      _ sealed: UnsafeRawBufferPointer, _ nonce: [UInt8], _ data: [UInt8],
      into out: UnsafeMutableRawBufferPointer
    ) -> Bool {
      guard let box = try? unsafe ChaChaPoly.SealedBox(combined: nonce + sealed),
        let plaintext = try? ChaChaPoly.open(box, using: key, authenticating: data)
      else { return false }
      unsafe out.copyBytes(from: plaintext)
      return true
    }
  #endif
}
