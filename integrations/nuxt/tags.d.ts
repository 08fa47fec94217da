/** Adds tags to the page that is being made: `addTags(useRequestEvent(), 'post-17')`. */
export declare function addTags(event: { context: object } | undefined, ...tags: (string | string[])[]): void;
/** The tag that each page has by itself, with its data. */
export declare function pathTag(path: string): string;
