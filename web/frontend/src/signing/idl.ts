// Made by build.mjs from client/flair_client/chain/flair.json; not to be changed by hand.

/** An instruction of the program: its accounts in order (optional ones with `?`), its arguments in byte order. */
export interface InstructionLayout {
  name: string;
  /** One sentence, as the program documents it. */
  does: string;
  accounts: string[];
  args: string[][];
}

export const PROGRAM = "FLRK2f6aX5SoVuziobDG3LMD6TKc3nuVxECVhM5x2CBT";

/** By discriminator, in hex. */
export const INSTRUCTIONS: Readonly<Record<string, InstructionLayout>> = {
  "1fc671379a89cec2": {"name":"attestation_expire","does":"Closes an attestation whose round is over.","accounts":["actor","repo","branch","attestation","rent_payer","event_authority","program"],"args":[]},
  "2fd8c2f4a6274aef": {"name":"authority_accept","does":"Takes the repository that was offered; whatever the old authority allowed is void.","accounts":["new_authority","repo","event_authority","program"],"args":[]},
  "0d6b6046ea702b50": {"name":"authority_offer","does":"Offers the repository to another wallet, or takes the offer back.","accounts":["authority","repo","event_authority","program"],"args":[["new_authority","pubkey"]]},
  "fd6a6c43edd7690e": {"name":"branch_advance","does":"Moves the head to a root, a snapshot or a revert; a live round ends by it.","accounts":["actor","role?","config","repo","branch","event_authority","program"],"args":[["kind","u8"],["expected_head","bytes:32"],["expected_seq","u64"],["new_head","bytes:32"]]},
  "2733b3acf85e27a7": {"name":"branch_create","does":"Makes a branch, without a head.","accounts":["payer","actor","role?","config","repo","policy","branch","system_program","event_authority","program"],"args":[["name","text"],["policy_index","u32"],["protected","u8"],["first_round","u8"]]},
  "9729c1ed5fe4afac": {"name":"branch_merge","does":"Moves the head to a merge of models; a live round ends by it.","accounts":["actor","role?","config","repo","branch","event_authority","program"],"args":[["expected_head","bytes:32"],["expected_seq","u64"],["new_head","bytes:32"],["merged","bytes:512"]]},
  "e54014642923520d": {"name":"branch_set_policy","does":"Sets the policy of a branch from the next round on; a live round keeps the one that it pins.","accounts":["actor","role?","config","repo","branch","policy","event_authority","program"],"args":[["policy_index","u32"]]},
  "5dd9f5020cf4b0d7": {"name":"config_create","does":"Makes the program's settings, once.","accounts":["admin","config","program_data","system_program","event_authority","program"],"args":[["treasury","pubkey"],["fee_bps","u16"],["pause_bits","u32"],["genesis_tag","bytes:32"]]},
  "c388196efa77d496": {"name":"config_set","does":"Changes the program's settings.","accounts":["admin","config","event_authority","program"],"args":[["treasury","pubkey"],["fee_bps","u16"],["pause_bits","u32"]]},
  "ec62440023fe7bc7": {"name":"delegation_create","does":"Lets another key push for a wallet in one repository.","accounts":["payer","wallet","config","repo","delegation","system_program","event_authority","program"],"args":[["key","pubkey"],["expires_at","i64"]]},
  "4a10d9c26fbdeee5": {"name":"delegation_revoke","does":"Takes a delegation back and closes it.","accounts":["actor","repo","delegation","rent_payer","event_authority","program"],"args":[]},
  "5bae23de948310d4": {"name":"invite_create","does":"Makes an invite: whoever has its key may take a role.","accounts":["payer","actor","role?","config","repo","branch?","invite","system_program","event_authority","program"],"args":[["key","pubkey"],["scope","u16"],["expires_at","i64"],["role_expires_at","i64"],["uses","u16"]]},
  "8f2523d852292156": {"name":"invite_redeem","does":"Takes the role of an invite.","accounts":["payer","grantee","invite_key","config","repo","invite","invite_payer","new_role","system_program","event_authority","program"],"args":[]},
  "e8c7cde4ceba718f": {"name":"invite_revoke","does":"Takes an invite back and closes it.","accounts":["actor","role?","repo","invite","rent_payer","event_authority","program"],"args":[]},
  "805a2fc0ed096063": {"name":"join_close","does":"Closes a request for a role: it was answered or taken back.","accounts":["actor","role?","repo","request","rent_payer","event_authority","program"],"args":[]},
  "a66d3a21942c72d3": {"name":"join_request","does":"Asks for a role.","accounts":["payer","applicant","config","repo","branch?","request","system_program","event_authority","program"],"args":[["scope","u16"],["note_digest","bytes:32"]]},
  "7a756b97a6d85d69": {"name":"merge_accumulate","does":"Adds a batch of accepted updates to the round's sums.","accounts":["actor","config","repo","branch","round","event_authority","program"],"args":[]},
  "0312a585337e86e3": {"name":"merge_approve","does":"The authority approves a candidate.","accounts":["authority","config","repo","branch","round","candidate","event_authority","program"],"args":[["update_root","bytes:32"]]},
  "5f9f115336fec5fc": {"name":"merge_attest","does":"Somebody attests that it made a candidate again, and it came out the same.","accounts":["payer","attester","role?","config","repo","branch","round","candidate","attestation","system_program","event_authority","program"],"args":[["update_root","bytes:32"]]},
  "235ab0c1a76fabe5": {"name":"merge_expire","does":"Closes the candidate of a round that is over.","accounts":["actor","repo","branch","candidate","candidate_payer","event_authority","program"],"args":[]},
  "db6ca5c7cb30c23f": {"name":"merge_finalize","does":"Moves the head to a candidate and ends the round.","accounts":["actor","config","repo","branch","policy","round","candidate","candidate_payer","event_authority","program"],"args":[["expected_head","bytes:32"],["expected_seq","u64"]]},
  "d6b80824f8db98ef": {"name":"merge_propose","does":"Proposes a commit as the merge of a closed round.","accounts":["payer","proposer","role?","proposer_update?","config","repo","branch","policy","round","candidate","system_program","event_authority","program"],"args":[["commit_id","bytes:32"],["expected_head","bytes:32"],["expected_seq","u64"]]},
  "4feef27561866c7e": {"name":"policy_create","does":"Makes a policy, which never changes.","accounts":["payer","actor","role?","config","repo","policy","system_program","event_authority","program"],"args":[["mode","u8"],["dp_rule","u8"],["proof_system","u8"],["bits","u8"],["contribute","u8"],["reveal_after_close","u8"],["approvals_needed","u8"],["attestations_needed","u8"],["scale_exp","i16"],["columns","u16"],["strategy","u16"],["weight_cap","u16"],["min_updates","u16"],["max_updates","u16"],["n_params","u64"],["norm_bound_sq","u128"],["eta_q24","u32"],["round_length_s","u32"],["merge_grace_s","u32"],["challenge_s","u32"],["deposit_lamports","u64"],["strategy_params","bytes:64"],["verifying_key","pubkey"],["recipe_digest","bytes:32"],["max_epochs","u16"],["max_batch_size","u32"],["reserved","zero:74"]]},
  "9e59b4f7ed3e8acd": {"name":"repo_create","does":"Makes a repository; its creator is the first authority.","accounts":["payer","creator","config","repo","system_program","event_authority","program"],"args":[["name","text"],["points_per_merge","u64"]]},
  "ba2b8d45b3f01ee3": {"name":"repo_set_sponsor","does":"Names who pays for contributors; gives it no right.","accounts":["authority","repo","event_authority","program"],"args":[["sponsor","pubkey"]]},
  "b9b041e75a1cb972": {"name":"role_grant","does":"Gives a wallet a role.","accounts":["payer","actor","role?","config","repo","branch?","new_role","system_program","event_authority","program"],"args":[["grantee","pubkey"],["scope","u16"],["expires_at","i64"]]},
  "1f5c2ec1a3685be8": {"name":"role_revoke","does":"Takes a role back and closes it.","accounts":["actor","role?","repo","old_role","rent_payer","event_authority","program"],"args":[]},
  "c73a06886eb45c1c": {"name":"round_abort","does":"Ends a round that cannot be merged any more.","accounts":["actor","repo","branch","policy","round","round_payer","event_authority","program"],"args":[]},
  "059dcd474c22e541": {"name":"round_close","does":"Closes a round: it takes no more updates and waits for its merge.","accounts":["actor","repo","branch","policy","round","event_authority","program"],"args":[]},
  "693de29556e0e4fa": {"name":"round_open","does":"Opens the next round of a branch; it pins the branch's policy and head.","accounts":["payer","config","repo","branch","policy","round","system_program","event_authority","program"],"args":[]},
  "6f5e88c513e34e4a": {"name":"update_expire","does":"Closes an update of a round that ended without a merge; the last one closes the round too.","accounts":["actor","repo","branch","round","update","rent_payer","round_payer","event_authority","program"],"args":[]},
  "8e06da339993252b": {"name":"update_push","does":"Pushes an update into the live round: one per contributor and round.","accounts":["payer","signer","contributor","delegation?","role?","config","repo","branch","policy","round","update","contribution","system_program","event_authority","program"],"args":[["commit_id","bytes:32"],["expected_base","bytes:32"],["weight","u16"],["payload_digest","bytes:32"],["statement_digest","bytes:32"],["nonce","bytes:16"]]},
  "869cfee078e5a5d7": {"name":"update_reject","does":"Leaves an update out of the merge, in public and with a reason.","accounts":["authority","repo","branch","round","update","event_authority","program"],"args":[["reason","u8"]]},
  "024d2d6536eb3475": {"name":"update_settle","does":"Credits an update of a merged round and closes it; the last one closes the round too.","accounts":["actor","repo","round","update","contribution","rent_payer","round_payer","event_authority","program"],"args":[]},
  "78ee9c2d5f3a3c17": {"name":"update_withdraw","does":"Takes an update back while the round is open.","accounts":["actor","repo","branch","round","update","rent_payer","event_authority","program"],"args":[]},
};
