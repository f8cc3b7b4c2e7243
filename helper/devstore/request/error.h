/* SPDX-License-Identifier: MIT */
/*
 * error.h - the service's errors: code, status, message
 *
 * "Common REST API error codes" and "Blob service error codes".  The names of
 * the enumerators are Azure's codes, so that they are found by searching for
 * what a client was told.
 */
#ifndef DEVSTORE_ERROR_H
#define DEVSTORE_ERROR_H

/* X(name, status, message), and Y(name, code, status, message) for a code that
 * is sent with more than one status. */
#define DS_ERRORS(X, Y)                                                                            \
	X(AccountBeingCreated, 409, "The specified account is in the process of being created.")   \
	X(AuthenticationFailed, 403,                                                               \
	  "Server failed to authenticate the request. Make sure the value of Authorization "       \
	  "header is formed correctly including the signature.")                                   \
	X(AuthorizationPermissionMismatch, 403,                                                    \
	  "This request is not authorized to perform this operation using this permission.")       \
	X(AuthorizationProtocolMismatch, 403,                                                      \
	  "This request is not authorized to perform this operation using this protocol.")         \
	X(AuthorizationResourceTypeMismatch, 403,                                                  \
	  "This request is not authorized to perform this operation using this resource type.")    \
	X(AuthorizationServiceMismatch, 403,                                                       \
	  "This request is not authorized to perform this operation using this service.")          \
	X(AuthorizationSourceIPMismatch, 403,                                                      \
	  "This request is not authorized to perform this operation using this source IP.")        \
	X(BlobAlreadyExists, 409, "The specified blob already exists.")                            \
	X(BlobOverwritten, 409,                                                                    \
	  "The blob has been recreated since the previous snapshot was taken.")                    \
	X(BlobNotFound, 404, "The specified blob does not exist.")                                 \
	X(BothCrc64AndMd5HeaderPresent, 400,                                                       \
	  "Both x-ms-content-crc64 header and Content-MD5 header are present.")                    \
	X(CannotVerifyCopySource, 404, "The specified blob does not exist.")                       \
	Y(CannotVerifyCopySource_403, CannotVerifyCopySource, 403,                                 \
	  "This request is not authorized to read the copy source.")                               \
	Y(CannotVerifyCopySource_400, CannotVerifyCopySource, 400,                                 \
	  "Could not verify the copy source within this server.")                                  \
	X(ConditionHeadersNotSupported, 400, "Condition headers are not supported.")               \
	X(ConditionNotMet, 412,                                                                    \
	  "The condition specified using HTTP conditional header(s) is not met.")                  \
	Y(ConditionNotMet_304, ConditionNotMet, 304,                                               \
	  "The condition specified using HTTP conditional header(s) is not met.")                  \
	X(ContainerAlreadyExists, 409, "The specified container already exists.")                  \
	X(ContainerNotFound, 404, "The specified container does not exist.")                       \
	X(CorsPreflightFailure, 403,                                                               \
	  "CORS not enabled or no matching rule found for this request.")                          \
	X(CopyIdMismatch, 409,                                                                     \
	  "The specified copy ID did not match the copy ID for the pending copy operation.")       \
	X(Crc64Mismatch, 400,                                                                      \
	  "The CRC64 value specified in the request did not match with the CRC64 value "           \
	  "calculated by the server.")                                                             \
	X(EmptyMetadataKey, 400, "The key for one of the metadata key-value pairs is empty.")      \
	X(IncrementalCopyBlobMismatch, 409,                                                        \
	  "The specified source blob is different than the copy source of the existing "           \
	  "incremental copy blob.")                                                                \
	X(IncrementalCopyOfEarlierSnapshotNotAllowed, 409,                                         \
	  "The specified snapshot is earlier than the last snapshot copied into the "              \
	  "incremental copy blob.")                                                                \
	X(IncrementalCopySourceMustBeSnapshot, 409,                                                \
	  "The source for incremental copy request must be a snapshot.")                           \
	X(InfiniteLeaseDurationRequired, 412,                                                      \
	  "The lease ID matched, but the specified lease must be an infinite-duration lease.")     \
	X(InternalError, 500,                                                                      \
	  "The server encountered an internal error. Please retry the request.")                   \
	X(InvalidAuthenticationInfo, 400,                                                          \
	  "Authentication information is not given in the correct format. Check the value of "     \
	  "Authorization header.")                                                                 \
	X(InvalidBlobType, 409, "The blob type is invalid for this operation.")                    \
	X(InvalidHeaderValue, 400,                                                                 \
	  "The value for one of the HTTP headers is not in the correct format.")                   \
	X(InvalidInput, 400, "One of the request inputs is not valid.")                            \
	X(InvalidMd5, 400,                                                                         \
	  "The MD5 value specified in the request is invalid. MD5 value must be 128 bits and "     \
	  "base64 encoded.")                                                                       \
	X(InvalidMetadata, 400,                                                                    \
	  "The metadata specified is invalid. It has characters that are not permitted.")          \
	X(InvalidOperation, 400, "The operation is not valid for this resource.")                  \
	X(InvalidPageRange, 416, "The page range specified is invalid.")                           \
	X(InvalidQueryParameterValue, 400,                                                         \
	  "Value for one of the query parameters specified in the request URI is invalid.")        \
	X(InvalidRange, 416,                                                                       \
	  "The range specified is invalid for the current size of the resource.")                  \
	X(InvalidResourceName, 400, "The specified resource name contains invalid characters.")    \
	X(InvalidSourceBlobType, 409, "The copy source blob type is invalid.")                     \
	X(InvalidSourceBlobUrl, 400, "The source URL for the copy operation is invalid.")          \
	X(InvalidUri, 400, "The requested URI does not represent any resource on the server.")     \
	X(InvalidXmlDocument, 400, "XML specified is not syntactically valid.")                    \
	X(LeaseAlreadyPresent, 409, "There is already a lease present.")                           \
	X(LeaseIdMismatchWithBlobOperation, 412,                                                   \
	  "The lease ID specified did not match the lease ID for the blob.")                       \
	X(LeaseIdMismatchWithContainerOperation, 412,                                              \
	  "The lease ID specified did not match the lease ID for the container.")                  \
	X(LeaseIdMismatchWithLeaseOperation, 409,                                                  \
	  "The lease ID specified did not match the lease ID for the container or blob.")          \
	X(LeaseIdMissing, 412,                                                                     \
	  "There is currently a lease on the resource and no lease ID was specified in the "       \
	  "request.")                                                                              \
	X(LeaseIsBreakingAndCannotBeAcquired, 409,                                                 \
	  "The lease ID matched, but the lease is currently in breaking state and cannot be "      \
	  "acquired until it is broken.")                                                          \
	X(LeaseIsBreakingAndCannotBeChanged, 409,                                                  \
	  "The lease ID matched, but the lease is currently in breaking state and cannot be "      \
	  "changed.")                                                                              \
	X(LeaseIsBrokenAndCannotBeRenewed, 409,                                                    \
	  "The lease ID matched, but the lease has been broken explicitly and cannot be "          \
	  "renewed.")                                                                              \
	X(LeaseLost, 412, "A lease ID was specified, but the lease for the resource has expired.") \
	X(LeaseNotPresentWithBlobOperation, 412, "There is currently no lease on the blob.")       \
	X(LeaseNotPresentWithContainerOperation, 412,                                              \
	  "There is currently no lease on the container.")                                         \
	X(LeaseNotPresentWithLeaseOperation, 409, "There is currently no lease on the resource.")  \
	X(Md5Mismatch, 400,                                                                        \
	  "The MD5 value specified in the request did not match with the MD5 value calculated "    \
	  "by the server.")                                                                        \
	X(MetadataTooLarge, 400,                                                                   \
	  "The size of the specified metadata exceeds the maximum size permitted.")                \
	X(MissingContentLengthHeader, 411, "The Content-Length header was not specified.")         \
	X(MissingRequiredHeader, 400,                                                              \
	  "An HTTP header that's mandatory for this request is not specified.")                    \
	X(MissingRequiredQueryParameter, 400,                                                      \
	  "A query parameter that's mandatory for this request is not specified.")                 \
	X(MultipleConditionHeadersNotSupported, 400,                                               \
	  "Multiple condition headers are not supported.")                                         \
	X(NoPendingCopyOperation, 409, "There is currently no pending copy operation.")            \
	X(NotImplemented, 501,                                                                     \
	  "The requested operation is not implemented by devstore, which serves page blobs.")      \
	X(OperationNotAllowedOnIncrementalCopyBlob, 409,                                           \
	  "The specified operation is not allowed on an incremental copy blob.")                   \
	X(OperationTimedOut, 500,                                                                  \
	  "The operation could not be completed within the permitted time.")                       \
	X(OutOfRangeInput, 400, "One of the request inputs is out of range.")                      \
	X(OutOfRangeQueryParameterValue, 400,                                                      \
	  "A query parameter specified in the request URI is outside the permissible range.")      \
	X(PendingCopyOperation, 409, "There is currently a pending copy operation.")               \
	X(PreviousSnapshotCannotBeNewer, 400,                                                      \
	  "The prevsnapshot query parameter value cannot be newer than snapshot query "            \
	  "parameter value.")                                                                      \
	X(PreviousSnapshotNotFound, 409, "The previous snapshot is not found.")                    \
	X(PublicAccessNotPermitted, 409,                                                           \
	  "Public access is not permitted on this storage account.")                               \
	X(RequestBodyTooLarge, 413,                                                                \
	  "The request body is too large and exceeds the maximum permissible limit.")              \
	X(ResourceNotFound, 404, "The specified resource does not exist.")                         \
	X(SequenceNumberConditionNotMet, 412,                                                      \
	  "The sequence number condition specified was not met.")                                  \
	X(SequenceNumberIncrementTooLarge, 409,                                                    \
	  "The sequence number increment cannot be performed because it would result in "          \
	  "overflow of the sequence number.")                                                      \
	X(ServerBusy, 503,                                                                         \
	  "The server is currently unable to receive requests. Please retry "                      \
	  "your request.")                                                                         \
	Y(ServerBusy_429, ServerBusy, 429, "Too many requests. Please retry your request.")        \
	X(SnapshotsPresent, 409,                                                                   \
	  "This operation is not permitted because the blob has snapshots.")                       \
	X(SnapshotOperationRateExceeded, 409,                                                      \
	  "The rate of snapshot operations against the blob is too high.")                         \
	X(SourceConditionNotMet, 412,                                                              \
	  "The source condition specified using HTTP conditional "                                 \
	  "header(s) is not met.")                                                                 \
	X(UnsatisfiableCondition, 400,                                                             \
	  "The request includes an unsatisfiable condition for this operation.")                   \
	X(UnsupportedHeader, 400,                                                                  \
	  "One of the HTTP headers specified in the request is not supported.")                    \
	X(UnsupportedHttpVerb, 405, "The resource doesn't support the specified HTTP verb.")       \
	X(UnsupportedQueryParameter, 400,                                                          \
	  "One of the query parameters specified in the request URI is not supported.")            \
	X(InsufficientStorage, 507, "The disk that holds devstore's data is full.")

enum ds_err {
	DS_OK = 0,
#define X(name, status, message) ERR_##name,
#define Y(name, code, status, message) ERR_##name,
	DS_ERRORS(X, Y)
#undef X
#undef Y
		DS_ERR_COUNT
};

struct ds_error {
	unsigned int status;
	const char *code;
	const char *message;
};

const struct ds_error *ds_error(enum ds_err err);

/* A negative errno of storage.h as the client gets it. */
enum ds_err ds_error_of(int err);
/* The last one that no client is told more of than ERR_InternalError, for the log; it
 * is told once.  0: there is none. */
int ds_error_untold(void);

#endif
