//! `crypto.subtle` against the vectors of the RFCs and of NIST.

use serde_json::{Value, json};

use super::answer_of;

/// What the vectors are written with.
const BYTES: &str = r#"
const hex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const toHex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64url = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const utf8 = (text) => new TextEncoder().encode(text);
const { subtle } = crypto;
"#;

fn subtle(body: &str) -> Value {
    answer_of(BYTES, body)
}

#[test]
fn digests_of_fips_180() {
    let answer = subtle(
        r#"
        const digests = {};
        for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) digests[name] = [toHex(await subtle.digest(name, utf8("abc"))), toHex(await subtle.digest(name, new Uint8Array()))];
        return digests;"#,
    );

    assert_eq!(
        answer,
        json!({
            "SHA-1": ["a9993e364706816aba3e25717850c26c9cd0d89d", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
            "SHA-256": [
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ],
            "SHA-384": [
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
                "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
            ],
            "SHA-512": [
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            ],
        })
    );
}

#[test]
fn hs256_of_rfc_7515_a_1() {
    let answer = subtle(
        r#"
        const input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        const jwk = { kty: "oct", k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" };
        const key = await subtle.importKey("jwk", jwk, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
        const signature = await subtle.sign("HMAC", key, utf8(input));
        const known = base64url("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        return {
          signature: toHex(signature) === toHex(known),
          verified: [await subtle.verify("HMAC", key, known, utf8(input)), await subtle.verify("HMAC", key, known, utf8(`${input}.`))],
          key: [key instanceof CryptoKey, key.type, key.extractable, key.algorithm.name, key.usages],
          kept: (await attempt(() => subtle.exportKey("raw", key))).error,
        };"#,
    );

    assert_eq!(
        answer,
        json!({
            "signature": true,
            "verified": [true, false],
            "key": [true, "secret", false, "HMAC", ["sign", "verify"]],
            "kept": "InvalidAccessError",
        })
    );
}

#[test]
fn es256_of_rfc_7515_a_3() {
    let answer = subtle(
        r#"
        const input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        const open = { kty: "EC", crv: "P-256", x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" };
        const curve = { name: "ECDSA", namedCurve: "P-256" }, hash = { name: "ECDSA", hash: "SHA-256" };
        const verifier = await subtle.importKey("jwk", open, curve, true, ["verify"]);
        const signer = await subtle.importKey("jwk", { ...open, d: "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI" }, curve, false, ["sign"]);
        const known = base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
        const own = await subtle.sign(hash, signer, utf8(input));
        return [
          await subtle.verify(hash, verifier, known, utf8(input)), await subtle.verify(hash, verifier, known, utf8(`${input}.`)),
          await subtle.verify(hash, verifier, own, utf8(input)), own.byteLength, (await subtle.exportKey("jwk", verifier)).x === open.x,
        ];"#,
    );

    assert_eq!(answer, json!([true, false, true, 64, true]));
}

#[test]
fn aes_gcm_of_mcgrew_and_viega() {
    // Test cases 2, 4 and 16: key, nonce, further data, text, sealed text with its tag.
    let answer = subtle(
        r#"
        const text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        const further = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
        const cases = [
          ["00000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"],
          ["feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", further, text, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"],
          ["feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", further, text, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"],
        ];
        const results = [];
        for (const [raw, nonce, data, plain, sealed] of cases) {
          const key = await subtle.importKey("raw", hex(raw), "AES-GCM", false, ["encrypt", "decrypt"]);
          const algorithm = { name: "AES-GCM", iv: hex(nonce), additionalData: hex(data) };
          const forged = hex(sealed);
          forged[0] ^= 1;
          results.push([
            toHex(await subtle.encrypt(algorithm, key, hex(plain))) === sealed, toHex(await subtle.decrypt(algorithm, key, hex(sealed))) === plain,
            (await attempt(() => subtle.decrypt(algorithm, key, forged))).error,
          ]);
        }
        return results;"#,
    );

    assert_eq!(answer, json!(vec![json!([true, true, "OperationError"]); 3]));
}

#[test]
fn pbkdf2_and_hkdf() {
    let answer = subtle(
        r#"
        const bits = async (name, secret, parameters, length) => toHex(await subtle.deriveBits({ name, hash: "SHA-256", ...parameters }, await subtle.importKey("raw", secret, name, false, ["deriveBits"]), length));
        return {
          // RFC 7914 section 11.
          one: await bits("PBKDF2", utf8("passwd"), { salt: utf8("salt"), iterations: 1 }, 512),
          many: await bits("PBKDF2", utf8("Password"), { salt: utf8("NaCl"), iterations: 80_000 }, 512),
          // RFC 5869, case 1.
          hkdf: await bits("HKDF", hex("0b".repeat(22)), { salt: hex("000102030405060708090a0b0c"), info: hex("f0f1f2f3f4f5f6f7f8f9") }, 336),
        };"#,
    );

    assert_eq!(
        answer,
        json!({
            "one": "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                    49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
            "many": "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
                     a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
            "hkdf": "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        })
    );
}

#[test]
fn every_algorithm_makes_keys_that_work() {
    let answer = subtle(
        r#"
        const failed = [];
        const works = async (name, call) => { const result = await attempt(call); if (result !== true) failed.push([name, result]); };
        const data = utf8("text");
        for (const [generate, use] of [
          [{ name: "RSA-PSS", modulusLength: 1024, publicExponent: hex("010001"), hash: "SHA-256" }, { name: "RSA-PSS", saltLength: 32 }],
          [{ name: "ECDSA", namedCurve: "P-384" }, { name: "ECDSA", hash: "SHA-384" }],
          [{ name: "Ed25519" }, "Ed25519"],
        ]) {
          await works(generate.name, async () => {
            const pair = await subtle.generateKey(generate, true, ["sign", "verify"]);
            const again = await subtle.importKey("spki", await subtle.exportKey("spki", pair.publicKey), generate, true, ["verify"]);
            return subtle.verify(use, again, await subtle.sign(use, pair.privateKey, data), data);
          });
        }
        for (const [name, parameters] of [["AES-GCM", { iv: hex("00".repeat(12)) }], ["AES-CBC", { iv: hex("00".repeat(16)) }], ["AES-CTR", { counter: hex("00".repeat(16)), length: 64 }]]) {
          await works(name, async () => {
            const key = await subtle.generateKey({ name, length: 256 }, true, ["encrypt", "decrypt"]);
            return toHex(await subtle.decrypt({ name, ...parameters }, key, await subtle.encrypt({ name, ...parameters }, key, data))) === toHex(data);
          });
        }
        for (const name of ["ECDH", "X25519"]) {
          await works(name, async () => {
            const algorithm = name === "ECDH" ? { name, namedCurve: "P-256" } : { name };
            const [a, b] = [await subtle.generateKey(algorithm, true, ["deriveBits"]), await subtle.generateKey(algorithm, true, ["deriveBits"])];
            return toHex(await subtle.deriveBits({ name, public: b.publicKey }, a.privateKey, 256)) === toHex(await subtle.deriveBits({ name, public: a.publicKey }, b.privateKey, 256));
          });
        }
        await works("wrapKey", async () => {
          const [outer, inner] = [await subtle.generateKey({ name: "AES-KW", length: 256 }, true, ["wrapKey", "unwrapKey"]), await subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"])];
          const again = await subtle.unwrapKey("raw", await subtle.wrapKey("raw", inner, outer, "AES-KW"), outer, "AES-KW", "AES-GCM", true, ["encrypt"]);
          return toHex(await subtle.exportKey("raw", again)) === toHex(await subtle.exportKey("raw", inner));
        });
        await works("random", () => crypto.getRandomValues(new Uint32Array(4)).some((it) => it !== 0) && /^[0-9a-f-]{36}$/.test(crypto.randomUUID()));
        return failed;"#,
    );

    assert_eq!(answer, json!([]));
}
