# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title   USDC for the development chain
@license Apache-2.0
@notice  A dollar token that a holder, a relayer or a log reader cannot tell from Circle's FiatTokenV2_2: same selectors,
         events, order of checks and revert strings. It must never be deployed where a dollar is worth a dollar: one owner
         holds every role, and nothing can be upgraded.
@dev     Source of the behaviour: circlefin/stablecoin-evm, contracts/v2 (read 2026-11-21). Left out: proxy, burn, rescue and
         the change of roles. Solidity overloads four functions, Vyper overloads none: the (v, r, s) forms are ordinary
         functions, the `bytes signature` forms arrive in `__default__`.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event AuthorizationUsed:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

event AuthorizationCanceled:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

event Mint:
    minter: indexed(address)
    to: indexed(address)
    amount: uint256

event MinterConfigured:
    minter: indexed(address)
    minterAllowedAmount: uint256

event MinterRemoved:
    oldMinter: indexed(address)

event Blacklisted:
    account: indexed(address)

event UnBlacklisted:
    account: indexed(address)

event Pause:
    pass

event Unpause:
    pass

name: public(constant(String[8])) = "USD Coin"
symbol: public(constant(String[4])) = "USDC"
currency: public(constant(String[3])) = "USD"
version: public(constant(String[1])) = "2"
decimals: public(constant(uint8)) = 6

TRANSFER_WITH_AUTHORIZATION_TYPEHASH: public(constant(bytes32)) = keccak256(
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
RECEIVE_WITH_AUTHORIZATION_TYPEHASH: public(constant(bytes32)) = keccak256(
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
CANCEL_AUTHORIZATION_TYPEHASH: public(constant(bytes32)) = keccak256(
    "CancelAuthorization(address authorizer,bytes32 nonce)"
)
PERMIT_TYPEHASH: public(constant(bytes32)) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
DOMAIN_TYPEHASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

# Half of the order of secp256k1: above it the same signature would have a second form (EIP-2).
HIGHEST_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
ERC1271_MAGIC: constant(bytes4) = 0x1626ba7e

# A contract wallet's signature is some hundred bytes (a passkey's about 700); longer ones revert.
MAX_SIGNATURE: constant(uint256) = 2048
# Selector, seven words of the longest `bytes` form, the length word and the signature.
MAX_CALLDATA: constant(uint256) = 4 + 7 * 32 + 32 + MAX_SIGNATURE
IDENTITY_PRECOMPILE: constant(address) = 0x0000000000000000000000000000000000000004

# Balance and blacklist share one word, as in the original: it decides what a transfer costs.
BLACKLIST_BIT: constant(uint256) = 1 << 255

owner: public(address)
paused: public(bool)
balance_and_blacklist: HashMap[address, uint256]
allowance: public(HashMap[address, HashMap[address, uint256]])
totalSupply: public(uint256)
isMinter: public(HashMap[address, bool])
minterAllowance: public(HashMap[address, uint256])
authorizationState: public(HashMap[address, HashMap[bytes32, bool]])
nonces: public(HashMap[address, uint256])


@deploy
def __init__():
    self.owner = msg.sender
    self.balance_and_blacklist[self] = BLACKLIST_BIT


# ---------------------------------------------------------------------------------------------------------- reading

@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return self._domain_separator()


@external
@view
def balanceOf(account: address) -> uint256:
    return self._balance_of(account)


@external
@view
def isBlacklisted(_account: address) -> bool:
    return self._is_blacklisted(_account)


@external
@view
def masterMinter() -> address:
    return self.owner


@external
@view
def pauser() -> address:
    return self.owner


@external
@view
def blacklister() -> address:
    return self.owner


# --------------------------------------------------------------------------------------------------------- transfers

@external
def transfer(to: address, amount: uint256) -> bool:
    self._require_not_paused()
    self._require_not_blacklisted(msg.sender)
    self._require_not_blacklisted(to)
    self._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    self._require_not_paused()
    self._require_not_blacklisted(msg.sender)
    self._require_not_blacklisted(sender)
    self._require_not_blacklisted(to)
    assert amount <= self.allowance[sender][msg.sender], "ERC20: transfer amount exceeds allowance"
    self._transfer(sender, to, amount)
    self.allowance[sender][msg.sender] -= amount
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self._require_not_paused()
    self._approve(msg.sender, spender, amount)
    return True


@external
def increaseAllowance(spender: address, increment: uint256) -> bool:
    self._require_not_paused()
    allowed: uint256 = self.allowance[msg.sender][spender]
    assert increment <= max_value(uint256) - allowed, "SafeMath: addition overflow"
    self._approve(msg.sender, spender, allowed + increment)
    return True


@external
def decreaseAllowance(spender: address, decrement: uint256) -> bool:
    self._require_not_paused()
    allowed: uint256 = self.allowance[msg.sender][spender]
    assert decrement <= allowed, "ERC20: decreased allowance below zero"
    self._approve(msg.sender, spender, allowed - decrement)
    return True


# --------------------------------------------------------------------------------- signed messages, signature as v, r, s

@external
def transferWithAuthorization(
    sender: address, to: address, amount: uint256, validAfter: uint256, validBefore: uint256, nonce: bytes32,
    v: uint8, r: bytes32, s: bytes32
):
    self._transfer_with_authorization(sender, to, amount, validAfter, validBefore, nonce, self._packed(v, r, s))


@external
def receiveWithAuthorization(
    sender: address, to: address, amount: uint256, validAfter: uint256, validBefore: uint256, nonce: bytes32,
    v: uint8, r: bytes32, s: bytes32
):
    self._receive_with_authorization(sender, to, amount, validAfter, validBefore, nonce, self._packed(v, r, s))


@external
def cancelAuthorization(authorizer: address, nonce: bytes32, v: uint8, r: bytes32, s: bytes32):
    self._cancel_authorization(authorizer, nonce, self._packed(v, r, s))


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    self._permit(owner, spender, amount, deadline, self._packed(v, r, s))


# ------------------------------------------------------------------------- the same messages, signature as `bytes`

@external
def __default__():
    selector: bytes4 = convert(slice(msg.data, 0, 4), bytes4)
    if selector == method_id("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)", output_type=bytes4):
        self._transfer_with_authorization_bytes(self._arguments())
    elif selector == method_id("receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)", output_type=bytes4):
        self._receive_with_authorization_bytes(self._arguments())
    elif selector == method_id("cancelAuthorization(address,bytes32,bytes)", output_type=bytes4):
        self._cancel_authorization_bytes(self._arguments())
    elif selector == method_id("permit(address,address,uint256,uint256,bytes)", output_type=bytes4):
        self._permit_bytes(self._arguments())
    else:
        raw_revert(b"")


@internal
def _arguments() -> Bytes[MAX_CALLDATA]:
    # Vyper slices msg.data only by a constant length; the identity precompile hands all of it back, whatever its length.
    calldata: Bytes[MAX_CALLDATA] = raw_call(IDENTITY_PRECOMPILE, msg.data, max_outsize=MAX_CALLDATA, is_static_call=True)
    return slice(calldata, 4, len(calldata) - 4)


@internal
def _transfer_with_authorization_bytes(arguments: Bytes[MAX_CALLDATA]):
    sender: address = empty(address)
    to: address = empty(address)
    amount: uint256 = 0
    valid_after: uint256 = 0
    valid_before: uint256 = 0
    nonce: bytes32 = empty(bytes32)
    signature: Bytes[MAX_SIGNATURE] = b""
    sender, to, amount, valid_after, valid_before, nonce, signature = abi_decode(
        arguments, (address, address, uint256, uint256, uint256, bytes32, Bytes[MAX_SIGNATURE])
    )
    self._transfer_with_authorization(sender, to, amount, valid_after, valid_before, nonce, signature)


@internal
def _receive_with_authorization_bytes(arguments: Bytes[MAX_CALLDATA]):
    sender: address = empty(address)
    to: address = empty(address)
    amount: uint256 = 0
    valid_after: uint256 = 0
    valid_before: uint256 = 0
    nonce: bytes32 = empty(bytes32)
    signature: Bytes[MAX_SIGNATURE] = b""
    sender, to, amount, valid_after, valid_before, nonce, signature = abi_decode(
        arguments, (address, address, uint256, uint256, uint256, bytes32, Bytes[MAX_SIGNATURE])
    )
    self._receive_with_authorization(sender, to, amount, valid_after, valid_before, nonce, signature)


@internal
def _cancel_authorization_bytes(arguments: Bytes[MAX_CALLDATA]):
    authorizer: address = empty(address)
    nonce: bytes32 = empty(bytes32)
    signature: Bytes[MAX_SIGNATURE] = b""
    authorizer, nonce, signature = abi_decode(arguments, (address, bytes32, Bytes[MAX_SIGNATURE]))
    self._cancel_authorization(authorizer, nonce, signature)


@internal
def _permit_bytes(arguments: Bytes[MAX_CALLDATA]):
    owner: address = empty(address)
    spender: address = empty(address)
    amount: uint256 = 0
    deadline: uint256 = 0
    signature: Bytes[MAX_SIGNATURE] = b""
    owner, spender, amount, deadline, signature = abi_decode(
        arguments, (address, address, uint256, uint256, Bytes[MAX_SIGNATURE])
    )
    self._permit(owner, spender, amount, deadline, signature)


# ------------------------------------------------------------------------------------------- what a signed message does

@internal
def _transfer_with_authorization(
    sender: address, to: address, amount: uint256, valid_after: uint256, valid_before: uint256, nonce: bytes32,
    signature: Bytes[MAX_SIGNATURE]
):
    self._require_not_paused()
    self._require_not_blacklisted(sender)
    self._require_not_blacklisted(to)
    self._use_authorization(
        TRANSFER_WITH_AUTHORIZATION_TYPEHASH, sender, to, amount, valid_after, valid_before, nonce, signature
    )


@internal
def _receive_with_authorization(
    sender: address, to: address, amount: uint256, valid_after: uint256, valid_before: uint256, nonce: bytes32,
    signature: Bytes[MAX_SIGNATURE]
):
    self._require_not_paused()
    self._require_not_blacklisted(sender)
    self._require_not_blacklisted(to)
    assert to == msg.sender, "FiatTokenV2: caller must be the payee"
    self._use_authorization(
        RECEIVE_WITH_AUTHORIZATION_TYPEHASH, sender, to, amount, valid_after, valid_before, nonce, signature
    )


@internal
def _use_authorization(
    typehash: bytes32, sender: address, to: address, amount: uint256, valid_after: uint256, valid_before: uint256,
    nonce: bytes32, signature: Bytes[MAX_SIGNATURE]
):
    assert block.timestamp > valid_after, "FiatTokenV2: authorization is not yet valid"
    assert block.timestamp < valid_before, "FiatTokenV2: authorization is expired"
    self._require_unused_authorization(sender, nonce)
    struct_hash: bytes32 = keccak256(abi_encode(typehash, sender, to, amount, valid_after, valid_before, nonce))
    assert self._is_valid_signature(sender, struct_hash, signature), "FiatTokenV2: invalid signature"
    self.authorizationState[sender][nonce] = True
    log AuthorizationUsed(authorizer=sender, nonce=nonce)
    self._transfer(sender, to, amount)


@internal
def _cancel_authorization(authorizer: address, nonce: bytes32, signature: Bytes[MAX_SIGNATURE]):
    self._require_not_paused()
    self._require_unused_authorization(authorizer, nonce)
    struct_hash: bytes32 = keccak256(abi_encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce))
    assert self._is_valid_signature(authorizer, struct_hash, signature), "FiatTokenV2: invalid signature"
    self.authorizationState[authorizer][nonce] = True
    log AuthorizationCanceled(authorizer=authorizer, nonce=nonce)


@internal
def _permit(owner: address, spender: address, amount: uint256, deadline: uint256, signature: Bytes[MAX_SIGNATURE]):
    self._require_not_paused()
    assert deadline >= block.timestamp, "FiatTokenV2: permit is expired"
    nonce: uint256 = self.nonces[owner]
    self.nonces[owner] = nonce + 1
    struct_hash: bytes32 = keccak256(abi_encode(PERMIT_TYPEHASH, owner, spender, amount, nonce, deadline))
    assert self._is_valid_signature(owner, struct_hash, signature), "EIP2612: invalid signature"
    self._approve(owner, spender, amount)


# -------------------------------------------------------------------------------------------------------- signatures

@internal
@pure
def _packed(v: uint8, r: bytes32, s: bytes32) -> Bytes[65]:
    return concat(r, s, convert(v, bytes1))


@internal
@view
def _domain_separator() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPEHASH, keccak256(name), keccak256(version), chain.id, self))


@internal
@view
def _is_valid_signature(signer: address, struct_hash: bytes32, signature: Bytes[MAX_SIGNATURE]) -> bool:
    digest: bytes32 = keccak256(concat(b"\x19\x01", self._domain_separator(), struct_hash))
    # Code decides, not the shape of the signature: an account that took code (EIP-7702) answers for itself.
    if signer.is_contract:
        return self._is_accepted_by_contract(signer, digest, signature)
    return self._recovered(digest, signature) == signer


@internal
@view
def _is_accepted_by_contract(signer: address, digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> bool:
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        signer,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(answer, bytes32) == convert(ERC1271_MAGIC, bytes32)


@internal
@pure
def _recovered(digest: bytes32, signature: Bytes[MAX_SIGNATURE]) -> address:
    assert len(signature) == 65, "ECRecover: invalid signature length"
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    assert s <= HIGHEST_S, "ECRecover: invalid signature 's' value"
    assert v == 27 or v == 28, "ECRecover: invalid signature 'v' value"
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address), "ECRecover: invalid signature"
    return signer


# ------------------------------------------------------------------------------------------------- balances and guards

@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    assert sender != empty(address), "ERC20: transfer from the zero address"
    assert receiver != empty(address), "ERC20: transfer to the zero address"
    assert amount <= self._balance_of(sender), "ERC20: transfer amount exceeds balance"
    self._set_balance(sender, self._balance_of(sender) - amount)
    self._set_balance(receiver, self._balance_of(receiver) + amount)
    log Transfer(sender=sender, receiver=receiver, value=amount)


@internal
def _approve(owner: address, spender: address, amount: uint256):
    assert owner != empty(address), "ERC20: approve from the zero address"
    assert spender != empty(address), "ERC20: approve to the zero address"
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@internal
def _set_balance(account: address, balance: uint256):
    assert balance < BLACKLIST_BIT, "FiatTokenV2_2: Balance exceeds (2^255 - 1)"
    assert not self._is_blacklisted(account), "FiatTokenV2_2: Account is blacklisted"
    self.balance_and_blacklist[account] = balance


@internal
@view
def _balance_of(account: address) -> uint256:
    return self.balance_and_blacklist[account] & (BLACKLIST_BIT - 1)


@internal
@view
def _is_blacklisted(account: address) -> bool:
    return self.balance_and_blacklist[account] >= BLACKLIST_BIT


@internal
@view
def _require_not_paused():
    assert not self.paused, "Pausable: paused"


@internal
@view
def _require_not_blacklisted(account: address):
    assert not self._is_blacklisted(account), "Blacklistable: account is blacklisted"


@internal
@view
def _require_unused_authorization(authorizer: address, nonce: bytes32):
    assert not self.authorizationState[authorizer][nonce], "FiatTokenV2: authorization is used or canceled"


# -------------------------------------------------------------------------------------------------- the owner's powers

@external
def configureMinter(minter: address, minterAllowedAmount: uint256) -> bool:
    self._require_not_paused()
    assert msg.sender == self.owner, "FiatToken: caller is not the masterMinter"
    self.isMinter[minter] = True
    self.minterAllowance[minter] = minterAllowedAmount
    log MinterConfigured(minter=minter, minterAllowedAmount=minterAllowedAmount)
    return True


@external
def removeMinter(minter: address) -> bool:
    assert msg.sender == self.owner, "FiatToken: caller is not the masterMinter"
    self.isMinter[minter] = False
    self.minterAllowance[minter] = 0
    log MinterRemoved(oldMinter=minter)
    return True


@external
def mint(_to: address, _amount: uint256) -> bool:
    self._require_not_paused()
    assert self.isMinter[msg.sender], "FiatToken: caller is not a minter"
    self._require_not_blacklisted(msg.sender)
    self._require_not_blacklisted(_to)
    assert _to != empty(address), "FiatToken: mint to the zero address"
    assert _amount > 0, "FiatToken: mint amount not greater than 0"
    allowed: uint256 = self.minterAllowance[msg.sender]
    assert _amount <= allowed, "FiatToken: mint amount exceeds minterAllowance"
    self.totalSupply += _amount
    self._set_balance(_to, self._balance_of(_to) + _amount)
    self.minterAllowance[msg.sender] = allowed - _amount
    log Mint(minter=msg.sender, to=_to, amount=_amount)
    log Transfer(sender=empty(address), receiver=_to, value=_amount)
    return True


@external
def blacklist(_account: address):
    assert msg.sender == self.owner, "Blacklistable: caller is not the blacklister"
    self.balance_and_blacklist[_account] |= BLACKLIST_BIT
    log Blacklisted(account=_account)


@external
def unBlacklist(_account: address):
    assert msg.sender == self.owner, "Blacklistable: caller is not the blacklister"
    self.balance_and_blacklist[_account] = self._balance_of(_account)
    log UnBlacklisted(account=_account)


@external
def pause():
    assert msg.sender == self.owner, "Pausable: caller is not the pauser"
    self.paused = True
    log Pause()


@external
def unpause():
    assert msg.sender == self.owner, "Pausable: caller is not the pauser"
    self.paused = False
    log Unpause()
